import fc from 'fast-check';
import type { SessionRecording } from '../../../src/sessions/session.js';
import { iso, type TrueConnection, type TrueSession } from './truth.js';

/** The body of a webhook, as LiveKit writes it. */
export interface Webhook {
  event: string;
  id: string;
  createdAt: string;
  /** Until 1.13.5, what is told of an egress has none. */
  room?: { sid: string; name: string } & Record<string, unknown>;
  participant?: { sid: string } & Record<string, unknown>;
  egressInfo?: { egressId?: string; roomId: string } & Record<string, unknown>;
  roomEndReason?: string;
}

/** The room that a webhook tells of. */
export const roomSidOf = ({ room, egressInfo }: Webhook): string =>
  (room?.sid ?? egressInfo?.roomId) as string;

/** Calls, what LiveKit sent of them, in its order, and what was. */
export interface History {
  webhooks: Webhook[];
  sessions: TrueSession[];
}

const BEGINNING = 1_795_423_000_000;
const DEPARTURE_TIMEOUT = 2;
const EMPTY_TIMEOUT = 4;

const PEOPLE = [
  { identity: 'ann', name: 'Ann', kind: 'STANDARD' },
  { identity: 'bob', name: null, kind: 'STANDARD' },
  { identity: 'helper', name: 'Helper', kind: 'AGENT' },
  { identity: 'sip_+15550100', name: 'Phone', kind: 'SIP' },
  { identity: 'EG_recorder', name: null, kind: 'EGRESS' },
  { identity: 'feed', name: null, kind: 'INGRESS' },
] as const;
/** Who is called back: the same identity, by another way. */
const ANN_BY_PHONE = { identity: 'ann', name: 'Ann', kind: 'SIP' } as const;
type Person = (typeof PEOPLE)[number] | typeof ANN_BY_PHONE;

const SIP_ATTRIBUTES = {
  'sip.callID': 'SCL_1',
  'sip.callStatus': 'active',
  'sip.phoneNumber': '+15550100',
  'sip.trunkID': 'ST_1',
  'sip.trunkPhoneNumber': '+15550199',
};
const SIP_CALL = {
  callId: 'SCL_1',
  from: '+15550199',
  to: '+15550100',
  trunkId: 'ST_1',
  ruleId: null,
  status: 'active',
  direction: 'outbound',
} as const;

/** The permissions that tell a kind. */
const MARKS: Record<string, object> = { agent: { agent: true }, egress: { recorder: true } };

const NOTHING_RECORDED: SessionRecording = {
  egressId: null,
  status: 'starting',
  startedAt: null,
  endedAt: null,
  files: [],
  segments: [],
  streams: [],
  error: null,
};

const REASONS = [
  'CLIENT_INITIATED',
  'USER_UNAVAILABLE',
  'USER_REJECTED',
  'CONNECTION_TIMEOUT',
  'PARTICIPANT_REMOVED',
];

/** Something that happens in a call, some time after what was before. */
type Step = { wait: number } & (
  | { does: 'join' | 'abort' | 'publish' | 'unpublish'; who: Person }
  | { does: 'leave'; who: Person; reason: string }
  | { does: 'record' | 'failToRecord' }
  | { does: 'progress'; which: number; to: 'on' | 'complete' | 'failed' | 'limit_reached' }
  | { does: 'delete' | 'crash' | 'restart' | 'nothing' }
);

interface Call {
  name: string;
  /** LiveKit tells why a room was closed: newer servers do. */
  tellsReasons: boolean;
  /** LiveKit names the room of an egress beside it, too: newer servers do. */
  tellsEgressRooms: boolean;
  /** Tokens mark agents and recorders by their permissions alone: older ones do. */
  marksByPermission: boolean;
  /** LiveKit opens its room again under the same sid. */
  reopens: boolean;
  /** How late LiveKit's ticker finds an empty room, milliseconds. */
  lag: number;
  steps: Step[];
  /** In the end everybody leaves. */
  ends: boolean;
}

const pause = fc.oneof({ arbitrary: fc.nat(900), weight: 5 }, { arbitrary: fc.nat(7_000), weight: 1 });
const usual = (somebody: fc.Arbitrary<Person>): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ wait: pause, does: fc.constant('join' as const), who: somebody }) },
    {
      weight: 6,
      arbitrary: fc.record({
        wait: pause,
        does: fc.constant('leave' as const),
        who: somebody,
        reason: fc.constantFrom(...REASONS),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        wait: pause,
        does: fc.constantFrom('publish' as const, 'unpublish' as const),
        who: somebody,
      }),
    },
    { weight: 1, arbitrary: fc.record({ wait: pause, does: fc.constant('abort' as const), who: somebody }) },
    { weight: 1, arbitrary: fc.record({ wait: pause, does: fc.constant('record' as const) }) },
    { weight: 1, arbitrary: fc.record({ wait: pause, does: fc.constant('failToRecord' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        wait: pause,
        does: fc.constant('progress' as const),
        which: fc.nat(2),
        to: fc.constantFrom('on' as const, 'complete' as const, 'failed' as const, 'limit_reached' as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ wait: pause, does: fc.constantFrom('delete' as const, 'nothing' as const) }),
    },
  );

/** What calls may be like; nothing of it unless told. */
export interface Liveliness {
  crashes?: boolean;
  reopens?: boolean;
  /** One identity comes as another kind, too. */
  callsBack?: boolean;
}

/** Histories of calls. */
export const histories = ({
  crashes = false,
  reopens = false,
  callsBack = false,
}: Liveliness = {}): fc.Arbitrary<History> => {
  const steps = usual(fc.constantFrom(...PEOPLE, ...(callsBack ? [ANN_BY_PHONE] : [])));
  const crash: fc.Arbitrary<Step> = fc.record({
    wait: pause,
    does: fc.constantFrom('crash' as const, 'restart' as const),
  });
  const any = crashes ? fc.oneof({ weight: 25, arbitrary: steps }, { weight: 1, arbitrary: crash }) : steps;
  const call: fc.Arbitrary<Call> = fc.record({
    name: fc.constantFrom('lobby', 'call-1'),
    tellsReasons: fc.boolean(),
    tellsEgressRooms: fc.boolean(),
    marksByPermission: fc.boolean(),
    reopens: reopens ? fc.boolean() : fc.constant(false),
    lag: fc.nat(1_500),
    steps: fc.array(any, { maxLength: 14 }),
    ends: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  });
  return fc.array(call, { minLength: 1, maxLength: 3 }).map((calls) => {
    const sent: Sent[] = [];
    const sessions = calls.flatMap((one, nth) => new Livekit(one, nth, sent).play());
    const webhooks = sent.toSorted((a, b) => a.at - b.at).map(({ webhook }) => webhook);
    return { webhooks, sessions };
  });
};

interface Sent {
  at: number;
  webhook: Webhook;
}

interface Egress {
  recording: SessionRecording;
  session: TrueSession;
  startedAt: number | null;
  isOver: boolean;
}

/** A room while it is open. */
interface OpenRoom {
  session: TrueSession;
  openedAt: number;
  /** When somebody left or gave up last, and whether anybody has come, or tried to, who holds it open. */
  lastLeft: number;
  wasHeld: boolean;
}

/** As much of LiveKit as a receiver of webhooks can tell from another. */
class Livekit {
  private readonly sessions: TrueSession[] = [];
  private readonly egresses: Egress[] = [];
  private now: number;
  private open: OpenRoom | null = null;
  private isHalted = false;
  private closedAt = -Infinity;
  private createdAt = 0;
  private count = 0;

  constructor(
    private readonly call: Call,
    private readonly nth: number,
    private readonly sent: Sent[],
  ) {
    this.now = BEGINNING + nth * 1_777;
  }

  play(): TrueSession[] {
    for (const step of this.call.steps) {
      this.pass(step.wait + 1);
      this.take(step);
    }
    if (this.call.ends) {
      for (const connection of this.present()) {
        this.pass(1);
        this.leave(connection, 'CLIENT_INITIATED');
      }
      for (const egress of this.egresses.filter(({ isOver }) => !isOver)) {
        this.pass(700);
        this.end(egress, egress.startedAt === null ? 'aborted' : 'complete');
      }
    }
    this.pass(60_000); // whatever is empty is closed
    return this.sessions;
  }

  private take(step: Step): void {
    const mine =
      'who' in step ? this.present().find(({ identity }) => identity === step.who.identity) : undefined;
    if (step.does === 'join') this.join(step.who);
    if (step.does === 'abort') this.abort(step.who);
    if (step.does === 'leave' && mine) this.leave(mine, step.reason);
    if (step.does === 'publish' && mine) this.track('track_published', mine);
    if (step.does === 'unpublish' && mine) this.track('track_unpublished', mine);
    if (step.does === 'record') this.record();
    if (step.does === 'failToRecord') this.failToRecord();
    if (step.does === 'progress') this.progress(step.which, step.to);
    if (step.does === 'delete' && this.open) this.close('ROOM_DELETED', 'ROOM_END_API_DELETE');
    if (step.does === 'crash' && this.open) {
      this.open = null;
      this.egresses.length = 0;
      this.createdAt = 0;
    }
    if (step.does === 'restart' && this.open) this.restart();
  }

  /** Who was there is gone, and nothing tells so; with Redis the room is the same when somebody comes. */
  private restart(): void {
    for (const connection of this.present())
      connection.leftAt = Math.max(wholeSecond(this.now), connection.joinedAt);
    this.isHalted = true;
    this.open = null;
  }

  /** Lets time pass, in which a room that is empty is closed. */
  private pass(milliseconds: number): void {
    const then = this.now + milliseconds;
    const { open } = this;
    if (open !== null && !this.present().some(({ kind }) => holds(kind))) {
      const [since, timeout] = open.wasHeld
        ? [open.lastLeft, DEPARTURE_TIMEOUT]
        : [open.openedAt, EMPTY_TIMEOUT];
      const closes = since + timeout * 1_000 + this.call.lag;
      if (closes <= then) {
        this.now = Math.max(this.now, closes);
        this.close('ROOM_CLOSED', 'ROOM_END_IDLE_TIMEOUT');
      }
    }
    this.now = Math.max(this.now, then);
  }

  private join(who: Person): void {
    const { session } = this.opened(who);
    const before = this.present().find(({ identity }) => identity === who.identity);
    if (before !== undefined) this.leave(before, 'DUPLICATE_IDENTITY');
    const connection: TrueConnection = {
      sid: this.sid('PA'),
      identity: who.identity,
      name: who.name,
      kind: who.kind.toLowerCase(),
      sip: who.kind === 'SIP' ? SIP_CALL : null,
      joinedAt: this.now,
      leftAt: null,
      reason: null,
    };
    session.connections.push(connection);
    this.now += 60; // until it is connected
    this.send('participant_joined', {
      participant: { ...this.told(connection), state: 'ACTIVE', version: 2 },
    });
  }

  private leave(connection: TrueConnection, reason: string): void {
    if (connection.leftAt !== null) return;
    connection.leftAt = Math.max(wholeSecond(this.now), connection.joinedAt);
    connection.reason = reason;
    (this.open as OpenRoom).lastLeft = this.now;
    const participant = {
      ...this.told(connection),
      state: 'DISCONNECTED',
      version: 5,
      disconnectReason: reason,
    };
    this.send('participant_left', { participant });
  }

  private abort(who: Person): void {
    const { session } = this.opened(who);
    (this.open as OpenRoom).lastLeft = this.now;
    const sid = this.sid('PA');
    if (who.kind !== 'EGRESS' && who.kind !== 'INGRESS') session.attempts.push(sid);
    const participant = {
      sid,
      identity: who.identity,
      kind: who.kind,
      joinedAtMs: String(this.now),
      disconnectReason: 'JOIN_FAILURE',
    };
    this.send('participant_connection_aborted', { participant });
  }

  private track(event: string, { sid, identity }: TrueConnection): void {
    this.send(event, { participant: { sid, identity } }, false);
  }

  private opened(by: Person): OpenRoom {
    const open = this.open ?? this.reopened();
    if (holds(by.kind.toLowerCase())) open.wasHeld = true;
    return open;
  }

  private reopened(): OpenRoom {
    const { name, reopens } = this.call;
    const last = this.sessions.at(-1);
    if (this.isHalted && last !== undefined) {
      this.isHalted = false;
      this.open = { session: last, openedAt: this.now, lastLeft: 0, wasHeld: false };
      this.send('room_started');
      this.now += 1;
      return this.open;
    }
    const isAgain = reopens && last !== undefined && this.createdAt !== 0;
    if (isAgain) this.now = Math.max(this.now, this.closedAt + 1_000);
    else this.createdAt = this.now;
    const session: TrueSession = {
      roomSid: isAgain ? last.roomSid : this.sid('RM'),
      roomName: name,
      segment: isAgain ? last.segment + 1 : 0,
      startedAt: isAgain ? wholeSecond(this.now) : this.now,
      endedAt: null,
      endReason: null,
      connections: [],
      attempts: [],
      recordings: [],
    };
    this.sessions.push(session);
    this.open = { session, openedAt: this.now, lastLeft: 0, wasHeld: false };
    this.send('room_started');
    this.now += 1;
    return this.open;
  }

  private close(leaving: string, endReason: string): void {
    for (const connection of this.present()) this.leave(connection, leaving);
    const { session } = this.open as OpenRoom;
    session.endedAt = wholeSecond(this.now);
    session.endReason = this.call.tellsReasons ? endReason : null;
    this.send('room_finished', session.endReason === null ? {} : { roomEndReason: session.endReason });
    this.closedAt = this.now;
    this.open = null;
  }

  private record(): void {
    if (this.open === null || this.egresses.filter(({ isOver }) => !isOver).length > 2) return;
    const { session } = this.open;
    const recording = { ...NOTHING_RECORDED, egressId: this.sid('EG') };
    session.recordings.push(recording);
    const egress = { recording, session, startedAt: null, isOver: false };
    this.egresses.push(egress);
    this.tellEgress('egress_started', egress, {});
  }

  /** LiveKit could not start one of its own accord: it has no id. */
  private failToRecord(): void {
    if (this.open === null) return;
    const { session } = this.open;
    const error = 'no response from servers';
    session.recordings.push({ ...NOTHING_RECORDED, egressId: null, status: 'failed', error });
    const { roomSid: roomId, roomName } = session;
    this.push('egress_ended', { egressInfo: { roomId, roomName, status: 'EGRESS_FAILED', error } });
  }

  private progress(which: number, to: 'on' | 'complete' | 'failed' | 'limit_reached'): void {
    const running = this.egresses.filter(({ isOver }) => !isOver);
    const egress = running[which % running.length];
    if (egress === undefined) return;
    const { recording } = egress;
    if (egress.startedAt === null) {
      // What has not begun when its room is closed never will.
      if (to !== 'on' || this.open?.session !== egress.session) return this.end(egress, 'aborted');
      egress.startedAt = this.now;
      recording.startedAt = iso(this.now);
      recording.status = 'active';
    } else if (to !== 'on') {
      return this.end(egress, to);
    } else recording.status = 'ending';
    recording.files = [{ filename: 'call.ogg', location: null, durationSeconds: null, sizeBytes: null }];
    this.tellEgress('egress_updated', egress, {});
  }

  private end(egress: Egress, status: string): void {
    const { recording, startedAt } = egress;
    const isFine = status === 'complete' || status === 'limit_reached';
    egress.isOver = true;
    recording.status = status;
    recording.endedAt = iso(this.now);
    recording.error = isFine ? null : `it ${status}`;
    recording.files = [
      {
        filename: 'call.ogg',
        location: isFine ? 'https://recordings.example.com/call.ogg' : null,
        durationSeconds: isFine ? (this.now - (startedAt as number)) / 1_000 : null,
        sizeBytes: isFine ? 48_213 : null,
      },
    ];
    this.tellEgress('egress_ended', egress, { endedAt: nanoseconds(this.now) });
  }

  private tellEgress(event: string, { recording, startedAt, session }: Egress, ended: object): void {
    const { roomSid, roomName } = session;
    const { egressId, status, files, error } = recording;
    const egressInfo = {
      egressId: egressId as string,
      roomId: roomSid,
      roomName,
      ...(status !== 'starting' && { status: `EGRESS_${status.toUpperCase()}` }),
      ...(startedAt !== null && { startedAt: nanoseconds(startedAt) }),
      ...ended,
      updatedAt: nanoseconds(this.now),
      ...(error !== null && { error }),
      fileResults: files.map(({ filename, location, durationSeconds, sizeBytes }) => ({
        filename,
        ...(location !== null && { location }),
        ...(durationSeconds && { duration: nanoseconds(durationSeconds * 1_000) }),
        ...(sizeBytes !== null && { size: String(sizeBytes) }),
      })),
    };
    const room = this.call.tellsEgressRooms ? { room: { sid: roomSid, name: roomName } } : {};
    this.push(event, { ...room, egressInfo });
  }

  private send(event: string, more: Partial<Webhook> = {}, isFull = true): void {
    const { session } = this.open as OpenRoom;
    const room = {
      sid: session.roomSid,
      name: session.roomName,
      ...(isFull && {
        emptyTimeout: EMPTY_TIMEOUT,
        departureTimeout: DEPARTURE_TIMEOUT,
        creationTime: String(Math.floor(this.createdAt / 1_000)),
        creationTimeMs: String(this.createdAt),
      }),
    };
    this.push(event, { room, ...more });
  }

  private push(event: string, more: Partial<Webhook>): void {
    const webhook: Webhook = {
      event,
      ...more,
      id: this.sid('EV'),
      createdAt: String(Math.floor(this.now / 1_000)),
    };
    this.sent.push({ at: this.now, webhook });
  }

  private told({
    sid,
    identity,
    name,
    kind,
    joinedAt,
  }: TrueConnection): { sid: string } & Record<string, unknown> {
    const mark = this.call.marksByPermission ? MARKS[kind] : undefined;
    return {
      sid,
      identity,
      ...(name !== null && { name }),
      ...(mark === undefined && kind !== 'standard' && { kind: kind.toUpperCase() }),
      permission: { canSubscribe: true, ...mark },
      ...(kind === 'sip' && { attributes: SIP_ATTRIBUTES }),
      joinedAt: String(Math.floor(joinedAt / 1_000)),
      joinedAtMs: String(joinedAt),
    };
  }

  private present(): TrueConnection[] {
    return (this.open?.session.connections ?? []).filter(({ leftAt }) => leftAt === null);
  }

  private sid(prefix: string): string {
    this.count += 1;
    return `${prefix}_${this.nth}${String(this.count).padStart(3, '0')}`;
  }
}

const holds = (kind: string): boolean => kind !== 'agent' && kind !== 'egress';
const wholeSecond = (time: number): number => time - (time % 1_000);
const nanoseconds = (milliseconds: number): string => `${Math.round(milliseconds)}000000`;

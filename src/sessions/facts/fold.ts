import type { ConnectionFact, RoomDescription, RoomFact } from './facts.js';
import { type FoldedParticipant, foldParticipants, identityOf } from './participants.js';
import { type Segment, segmentsOf } from './segments.js';

/** The kinds that a session's figures tell apart. */
export type CountedKind = 'standard' | 'agent' | 'sip';

/** A session as its facts make it. Times are UTC milliseconds, `null` is not known. */
export interface SessionFold {
  source: string;
  roomSid: string;
  roomName: string | null;
  /** Which of the sessions of this room's sid, from 0. */
  segment: number;
  description: RoomDescription | null;
  state: 'active' | 'ended';
  /** The earliest time that is known of it, whatever that is. */
  beganAt: number;
  startedAt: number | null;
  firstJoinedAt: number | null;
  /** `null` while somebody that counts is connected. */
  lastLeftAt: number | null;
  endedAt: number | null;
  endReason: string | null;
  /** From first join to last leave; `null` while that is not known. */
  durationSeconds: number | null;
  /** Of connections that have ended. */
  participantSeconds: Record<CountedKind, number>;
  peakParticipants: number;
  /** How many identities that count are connected now. */
  activeParticipants: number;
  /** Attempts to connect that never became a connection. */
  abortedAttempts: number;
  participants: FoldedParticipant[];
  /** What is bounded by other facts and not told by one of its own. */
  inferred: string[];
}

/** The sessions that a room's facts make, in their order: one, and one more for each time its sid came back to life. */
export function foldRoom(room: RoomFact, connections: readonly ConnectionFact[]): SessionFold[] {
  return segmentsOf(room, connections).map((segment, index) => foldSegment(room, segment, index));
}

function foldSegment(room: RoomFact, segment: Segment, index: number): SessionFold {
  const { finish } = segment;
  const connected = segment.connections.filter((connection) => connection.connected);
  const stays = connected.flatMap((connection) => stayOf(connection, finish?.at ?? null) ?? []);
  const known = stays.filter(hasJoin);
  const firstJoinedAt = least(known.map(({ from }) => from));
  const present = stays.filter(({ to }) => to === Infinity);
  const lastLeftAt = present.length > 0 ? null : greatest(stays.map(({ to }) => to));
  const startedAt = index === 0 ? (room.openedAt ?? least(room.starts)) : segment.openedAt;
  return {
    source: room.source,
    roomSid: room.roomSid,
    roomName: room.roomName,
    segment: index,
    description: room.description?.room ?? null,
    state: finish === null ? 'active' : 'ended',
    beganAt:
      index === 0
        ? (least([room.seenAt, startedAt, firstJoinedAt]) ?? room.seenAt)
        : (segment.openedAt ?? room.seenAt),
    startedAt,
    firstJoinedAt,
    lastLeftAt,
    endedAt: finish?.at ?? null,
    endReason: finish?.endReason ?? null,
    durationSeconds:
      firstJoinedAt === null || lastLeftAt === null ? null : seconds(lastLeftAt - firstJoinedAt),
    participantSeconds: secondsByKind(known),
    peakParticipants: peak(known),
    activeParticipants: new Set(present.map(({ identity }) => identity)).size,
    abortedAttempts: segment.connections.filter(({ abort, connected: ever }) => abort !== null && !ever)
      .length,
    participants: foldParticipants(connected),
    inferred: stays.some(({ bounded }) => bounded) ? ['lastLeftAt'] : [],
  };
}

/** The time that somebody who counts was connected. */
interface Stay {
  identity: string;
  kind: CountedKind;
  /** `null` when its join was not told: it has an end, and no length. */
  from: number | null;
  /** Infinity while it lasts. */
  to: number;
  /** Its end was not told: it lasted until the room's at most. */
  bounded: boolean;
}

type KnownStay = Stay & { from: number };

const hasJoin = (stay: Stay): stay is KnownStay => stay.from !== null;

function stayOf(connection: ConnectionFact, roomEnd: number | null): Stay | undefined {
  const { kind, joinedAt, leave } = connection;
  const counted = countedKind(kind);
  if (counted === null) return undefined;
  // A leave is told in whole seconds, and may seem to come before its join.
  const to = Math.max(joinedAt ?? -Infinity, leave?.at ?? roomEnd ?? Infinity);
  return {
    identity: identityOf(connection),
    kind: counted,
    from: joinedAt,
    to,
    bounded: leave === null && roomEnd !== null,
  };
}

/** How a kind counts; `egress` and `ingress` are LiveKit's own hands, and count nowhere. */
export function countedKind(kind: string | null): CountedKind | null {
  if (kind === 'egress' || kind === 'ingress') return null;
  return kind === 'agent' || kind === 'sip' ? kind : 'standard';
}

function secondsByKind(stays: readonly KnownStay[]): Record<CountedKind, number> {
  const total = { standard: 0, agent: 0, sip: 0 };
  for (const { kind, from, to } of stays) if (to !== Infinity) total[kind] += to - from;
  return { standard: seconds(total.standard), agent: seconds(total.agent), sip: seconds(total.sip) };
}

/** The most identities that were connected at once; who leaves at an instant is gone when another comes at it. */
function peak(stays: readonly KnownStay[]): number {
  const changes = stays
    .flatMap(({ identity, from, to }) => [
      { at: from, identity, by: 1 },
      { at: Math.max(to, from + 1), identity, by: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by);
  const present = new Map<string, number>();
  let most = 0;
  for (const { identity, by } of changes) {
    const connections = (present.get(identity) ?? 0) + by;
    if (connections > 0) present.set(identity, connections);
    else present.delete(identity);
    most = Math.max(most, present.size);
  }
  return most;
}

const seconds = (milliseconds: number): number => milliseconds / 1000;

const least = (values: readonly (number | null)[]): number | null => extreme(values, (a, b) => a < b);

const greatest = (values: readonly number[]): number | null => extreme(values, (a, b) => a > b);

const extreme = (
  values: readonly (number | null)[],
  better: (a: number, b: number) => boolean,
): number | null =>
  values.reduce(
    (best, value) => (best === null || (value !== null && better(value, best)) ? value : best),
    null,
  );

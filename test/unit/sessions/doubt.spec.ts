import type { FactSource } from '../../../src/sessions/facts/extract.js';
import type { ConnectionFact, RoomFact } from '../../../src/sessions/facts/facts.js';
import { mergeConnection, mergeRoom } from '../../../src/sessions/facts/merge.js';
import { foldRoom, type SessionFold } from '../../../src/sessions/fold/fold.js';
import { connectionFact, foldOf, foldsOf, roomFact, sessionsOf, sidsOf, stay } from './facts.js';

const SECOND = 1_000;
const DEPARTURE_TIMEOUT = 2 * SECOND;

const ROOM = {
  openedAt: 0,
  description: { at: 0, eventId: 'EV_0', room: { departureTimeout: 2, emptyTimeout: 4 } },
};

const folds = (room: Partial<RoomFact>, ...connections: ConnectionFact[]) =>
  foldsOf({ ...ROOM, ...room }, ...connections);
const fold = (room: Partial<RoomFact>, ...connections: ConnectionFact[]) =>
  foldOf({ ...ROOM, ...room }, ...connections);
const connectionIn = (session: SessionFold, sid: string) =>
  session.participants
    .flatMap(({ connections }) => connections)
    .find(({ participantSid }) => participantSid === sid);

const told = (at: number) => ({ at, endReason: null });
const presumed = (at: number) => ({ at, endReason: null, inferred: 'empty' as const });
const gone = (at: number) => ({ at, endReason: null, inferred: 'gone' as const });

describe('a room that is found empty', () => {
  it('closes when the departure time-out is over', () => {
    expect(fold({}, stay('PA_1', 1, 5 * SECOND)).closesAt).toBe(5 * SECOND + DEPARTURE_TIMEOUT);
  });

  it('closes when the time-outs are over that LiveKit has where it tells none', () => {
    expect(foldOf({ openedAt: 0 }).closesAt).toBe(300 * SECOND);
    const described = { description: { at: 0, eventId: 'EV_0', room: {} } };
    expect(foldOf(described, stay('PA_1', 1, 5 * SECOND)).closesAt).toBe(25 * SECOND);
  });

  it.each([
    ['agent', 5 * SECOND + DEPARTURE_TIMEOUT],
    ['egress', 5 * SECOND + DEPARTURE_TIMEOUT],
    ['sip', null],
  ])('closes at the time that it does with one of the kind %p still in it: %p', (kind, closesAt) => {
    expect(fold({}, stay('PA_1', 1, 5 * SECOND), stay('PA_2', 1, null, { kind })).closesAt).toBe(closesAt);
  });

  it.each(['agent', 'sip'])('closes when it is over since the last departure, of the kind %p say', (kind) => {
    expect(fold({}, stay('PA_1', 1, 5 * SECOND), stay('PA_2', 1, 6 * SECOND, { kind })).closesAt).toBe(
      6 * SECOND + DEPARTURE_TIMEOUT,
    );
  });

  it('closes when it is over since somebody tried to come, but not since an agent did who has been alone', () => {
    const attempt = (kind: string) =>
      connectionFact({
        kind,
        connected: false,
        abort: { at: SECOND, reason: 'SIGNAL_CLOSE', eventId: 'EV_1' },
      });
    expect(fold({}, attempt('standard')).closesAt).toBe(SECOND + DEPARTURE_TIMEOUT);
    expect(fold({}, attempt('agent')).closesAt).toBe(4 * SECOND);
    expect(fold({}, stay('PA_1', 1, SECOND, { kind: 'agent' })).closesAt).toBe(4 * SECOND);
  });

  it.each(['ROOM_CLOSED', 'ROOM_DELETED'])('has closed when somebody left with %s', (reason) => {
    const leave = { at: 8 * SECOND, reason, eventId: 'EV_2' };
    const agent = stay('PA_2', 1, null, { kind: 'agent', leave });
    expect(fold({}, agent).closesAt).toBe(8 * SECOND);
    const caller = stay('PA_1', 1, 5 * SECOND);
    expect(fold({}, caller, agent).closesAt).toBe(8 * SECOND);
    expect(fold({ finishes: [presumed(8 * SECOND)] }, caller, agent)).toMatchObject({
      state: 'ended',
      endedAt: 8 * SECOND,
      closesAt: null,
      inferred: ['endedAt'],
    });
  });

  it('has closed when somebody left with ROOM_DELETED, though no leave of another is told, who came before', () => {
    const leave = { at: 8 * SECOND, reason: 'ROOM_DELETED', eventId: 'EV_2' };
    const agent = stay('PA_2', 1, null, { kind: 'agent', leave });
    const session = fold({ finishes: [presumed(8 * SECOND)] }, stay('PA_1', 1, null), agent);
    expect(session).toMatchObject({ state: 'ended', endedAt: 8 * SECOND, activeParticipants: 0 });
    expect(connectionIn(session, 'PA_1')).toMatchObject({ leftAt: 8 * SECOND, inferred: ['leftAt'] });
    const isBack = stay('PA_3', 8 * SECOND + 1, null);
    expect(fold({ finishes: [presumed(8 * SECOND)] }, isBack, agent)).toMatchObject({
      state: 'active',
      closesAt: null,
    });
  });

  it('closes no sooner than anything is told of it, so that its end can stand', () => {
    const tracks = connectionFact({
      participantSid: 'PA_2',
      kind: 'agent',
      joinedAt: 1,
      lastSeenAt: 8 * SECOND,
    });
    const { closesAt } = fold({}, stay('PA_1', 1, 5 * SECOND), tracks);
    expect(closesAt).toBe(8 * SECOND);
    expect(fold({ finishes: [presumed(8 * SECOND)] }, stay('PA_1', 1, 5 * SECOND), tracks)).toMatchObject({
      state: 'ended',
      endedAt: 8 * SECOND,
    });
  });

  it('is open again when it turns out that somebody was there, though they came before that end', () => {
    const finishes = [presumed(4 * SECOND)];
    expect(fold({ finishes })).toMatchObject({ state: 'ended', endedAt: 4 * SECOND });
    expect(fold({ finishes }, stay('PA_1', SECOND, null))).toMatchObject({
      state: 'active',
      closesAt: null,
      activeParticipants: 1,
    });
  });

  it('ends when it does by what is known now, not by what was known when it was found so', () => {
    const finishes = [presumed(10 * SECOND)];
    expect(fold({ finishes }, stay('PA_1', 1, 5 * SECOND)).endedAt).toBe(5 * SECOND + DEPARTURE_TIMEOUT);
    expect(fold({ finishes }, stay('PA_1', 1, 9 * SECOND))).toMatchObject({ state: 'active' });
  });

  it('is not, where whoever was there was replaced by a connection that has left', () => {
    const twice = [
      stay('PA_1', SECOND, null, { identity: 'ann' }),
      stay('PA_2', 2_700, 5 * SECOND, { identity: 'ann' }),
    ];
    const session = fold({}, ...twice);
    expect(session).toMatchObject({
      closesAt: 5 * SECOND + DEPARTURE_TIMEOUT,
      activeParticipants: 0,
      lastLeftAt: 5 * SECOND,
    });
    expect(connectionIn(session, 'PA_1')).toMatchObject({
      leftAt: 2_700,
      reason: null,
      inferred: ['leftAt'],
    });
  });
});

describe('the end that LiveKit told when it was asked', () => {
  it('stands whoever had joined before', () => {
    const session = fold({ finishes: [gone(9 * SECOND)] }, stay('PA_1', SECOND, null));
    expect(session).toMatchObject({ state: 'ended', endedAt: 9 * SECOND });
  });

  it('stands where somebody is told to have left at that very moment', () => {
    const session = fold({ finishes: [gone(9 * SECOND)] }, stay('PA_1', SECOND, 9 * SECOND));
    expect(session).toMatchObject({ state: 'ended', endedAt: 9 * SECOND });
  });

  it('stands where a leave after it is nothing but inferred', () => {
    const leave = { at: 9_500, reason: null, eventId: 'reconciled:PA_1:left', inferred: true as const };
    const session = fold({ finishes: [gone(9_200)] }, stay('PA_1', SECOND, null, { leave }));
    expect(session).toMatchObject({ state: 'ended', endedAt: 9_200 });
  });

  it('is refuted by a join after it, within the same second too', () => {
    const session = fold({ finishes: [gone(9_200)] }, stay('PA_1', 9_700, null));
    expect(session).toMatchObject({ state: 'active' });
  });

  it.each([
    [
      'a move to another server',
      { leave: { at: 9_500, reason: 'MIGRATION', eventId: 'EV_1', inferred: true } },
    ],
    ['a failed attempt', { connected: false, abort: { at: 9_500, reason: 'SIGNAL_CLOSE', eventId: 'EV_1' } }],
  ] as const)('is refuted by %s after it', (_, known) => {
    const finishes = [gone(9_200)];
    expect(fold({ finishes }, connectionFact(known))).toMatchObject({ state: 'active' });
  });
});

describe('a connection known by its tracks alone', () => {
  const tracks = (sid: string, seenAt: number, known: Partial<ConnectionFact> = {}) =>
    stay(sid, null, null, { kind: null, seenAt, lastSeenAt: seenAt, ...known });

  it('is of no known kind, counts as standard, and makes doubtful whatever it counts in', () => {
    const session = fold({}, tracks('PA_1', SECOND));
    expect(session.participants[0]).toMatchObject({ kind: null, sip: null });
    expect(session).toMatchObject({ activeParticipants: 1, peakParticipants: 1 });
    expect(session.inferred).toEqual([
      'joinedAt',
      'firstJoinedAt',
      'participantSeconds',
      'peakParticipants',
      'activeParticipants',
    ]);
  });

  it('is not taken for replaced by another that may have come before it, in the same second', () => {
    const ann = { identity: 'ann' };
    const session = fold(
      { finishes: [told(9 * SECOND)] },
      stay('PA_1', 2_400, 2 * SECOND, ann),
      tracks('PA_2', 2 * SECOND, ann),
    );
    expect(connectionIn(session, 'PA_2')).toMatchObject({
      leftAt: 9 * SECOND,
      inferred: ['joinedAt', 'leftAt'],
    });
  });

  const abort = { at: 3 * SECOND, reason: 'SIGNAL_CLOSE', eventId: 'EV_1' };

  it('ends when its attempt to connect is told as aborted', () => {
    const session = fold({}, tracks('PA_1', SECOND, { kind: 'standard', abort }));
    expect(connectionIn(session, 'PA_1')).toMatchObject({
      joinedAt: SECOND,
      leftAt: 3 * SECOND,
      reason: 'SIGNAL_CLOSE',
      inferred: ['joinedAt'],
    });
    expect(session).toMatchObject({ activeParticipants: 0, closesAt: 3 * SECOND + DEPARTURE_TIMEOUT });
    expect(session.inferred).not.toContain('activeParticipants');
  });

  it('ends then although the end of a track is told a moment later', () => {
    const session = fold({}, tracks('PA_1', SECOND, { kind: 'standard', abort, lastSeenAt: 4 * SECOND }));
    expect(connectionIn(session, 'PA_1')).toMatchObject({ leftAt: 3 * SECOND });
  });

  it('does not where LiveKit lists it afterwards', () => {
    const listed = { joinedAt: 2 * SECOND, lastSeenAt: 9 * SECOND };
    const session = fold({}, tracks('PA_1', SECOND, { kind: 'standard', abort, ...listed }));
    expect(connectionIn(session, 'PA_1')).toMatchObject({ leftAt: null });
  });

  it('belongs to the session that was open when it was seen, though that began with a join later in this second', () => {
    const [first, second] = folds(
      { finishes: [told(10 * SECOND)] },
      stay('PA_1', 15_700, null),
      tracks('PA_2', 15 * SECOND),
    );
    expect([sidsOf(first), sidsOf(second)]).toEqual([[], ['PA_2', 'PA_1']]);
  });
});

describe('what is doubted', () => {
  it('is when a room was opened again, where only a join tells', () => {
    const finishes = [told(10 * SECOND)];
    const join = stay('PA_1', 15_700, null);
    expect(folds({ finishes }, join)[1]).toMatchObject({ startedAt: 15_700, inferred: ['startedAt'] });
    expect(folds({ finishes, starts: [15 * SECOND] }, join)[1]).toMatchObject({
      startedAt: 15 * SECOND,
      inferred: [],
    });
  });

  it('is the last leave where an end is inferred that somebody may have outstayed', () => {
    const agents = [stay('PA_2', 1, 7 * SECOND, { kind: 'agent' }), stay('PA_3', 1, null, { kind: 'agent' })];
    const session = fold({ finishes: [presumed(9 * SECOND)] }, stay('PA_1', 1, 5 * SECOND), ...agents);
    expect(session).toMatchObject({ endedAt: 9 * SECOND, lastLeftAt: 9 * SECOND });
    expect(session.inferred).toEqual(expect.arrayContaining(['endedAt', 'lastLeftAt', 'durationSeconds']));
  });

  it('is not the last leave where somebody is told to have left as late as the room was closed', () => {
    const session = fold(
      { finishes: [told(7 * SECOND)] },
      stay('PA_1', 1, 7 * SECOND),
      stay('PA_2', 1, null),
    );
    expect(session).toMatchObject({ lastLeftAt: 7 * SECOND });
    expect(session.inferred).toEqual(['leftAt', 'participantSeconds', 'peakParticipants']);
  });
});

describe('what is inferred twice', () => {
  const inferredLeave = (at: number) => ({
    at,
    reason: null,
    eventId: `reconciled:${at}`,
    inferred: true as const,
  });

  it('is a leave that was refuted in between: the later one', () => {
    const merged = mergeConnection(
      connectionFact({ joinedAt: 1, lastSeenAt: 5_000, leave: inferredLeave(9_000) }),
      connectionFact({ joinedAt: 1, leave: inferredLeave(3_000) }),
    );
    expect(fold({}, merged).participants[0]?.connections[0]).toMatchObject({ leftAt: 9_000 });
  });

  it('is an end that was refuted in between: the later one', () => {
    const merged = mergeRoom(roomFact({ finishes: [gone(9_000)] }), roomFact({ finishes: [gone(3_000)] }));
    const back = stay('PA_1', 5_000, null);
    expect(foldRoom({ room: merged, connections: [back], egresses: [] })[0]).toMatchObject({
      endedAt: 9_000,
    });
  });

  it('loses against what a webhook tells, whenever that was', () => {
    const told_ = { at: 12_000, reason: 'CLIENT_INITIATED', eventId: 'EV_1' };
    const merged = mergeConnection(
      connectionFact({ leave: inferredLeave(3_000) }),
      connectionFact({ leave: told_ }),
    );
    expect(merged.leave).toEqual(told_);
  });
});

describe('a connection that moves to another server (`MIGRATION`)', () => {
  const event = (name: string, at: number, disconnectReason?: string): FactSource => ({
    source: 'default',
    eventId: `EV_${name}_${at}`,
    name,
    occurredAt: at * SECOND,
    body: {
      room: { sid: 'RM_1', name: 'call' },
      participant: {
        sid: 'PA_1',
        identity: 'ann',
        ...(name.startsWith('participant_') && { joinedAtMs: '1000', disconnectReason }),
      },
    },
  });
  const joined = (at: number) => event('participant_joined', at);
  const left = (at: number, reason: string) => event('participant_left', at, reason);

  const ends: [what: string, events: FactSource[], end: object][] = [
    [
      'has left by then, as far as is known, where nothing else is told',
      [joined(1), left(5, 'MIGRATION')],
      { leftAt: 5_000, reason: 'MIGRATION', inferred: ['leftAt'] },
    ],
    [
      'goes on where it joins again',
      [joined(1), left(5, 'MIGRATION'), joined(7)],
      { leftAt: null, inferred: [] },
    ],
    ['goes on where it joins within that second', [left(5, 'MIGRATION'), joined(5)], { leftAt: null }],
    [
      'goes on where a track of its own is told of',
      [joined(1), left(5, 'MIGRATION'), event('track_published', 6)],
      { leftAt: null },
    ],
    [
      'leaves when it is told to leave',
      [joined(1), left(5, 'MIGRATION'), joined(6), left(9, 'CLIENT_INITIATED')],
      { leftAt: 9_000, reason: 'CLIENT_INITIATED', inferred: [] },
    ],
    [
      'leaves when it is told to leave, though nothing was told in between',
      [left(5, 'MIGRATION'), left(9, 'CLIENT_INITIATED')],
      { leftAt: 9_000, reason: 'CLIENT_INITIATED', inferred: [] },
    ],
    [
      'has left by the last of its moves where nothing is told after that',
      [joined(1), left(5, 'MIGRATION'), joined(6), left(8, 'MIGRATION')],
      { leftAt: 8_000, reason: 'MIGRATION', inferred: ['leftAt'] },
    ],
  ];

  it.each(ends)('%s, whatever the order', (_, events, end) => {
    for (const order of [events, events.toReversed(), [...events.slice(1), ...events.slice(0, 1)]]) {
      const [session] = sessionsOf(order);
      expect(session?.participants[0]?.connections).toMatchObject([{ joinedAt: 1_000, ...end }]);
    }
  });

  // LiveKit 1.13.5, of a client that is told to move (`simulateScenario`): it comes back as another connection.
  it.each([
    ['has left where the same identity comes back at once', 6_400, []],
    ['has left by then, as far as is known, where it comes back later', 7_000, ['leftAt']],
  ])('%s', (_, back, inferred) => {
    const leave = { at: 5 * SECOND, reason: 'MIGRATION', eventId: 'EV_1', inferred: true as const };
    const [ann] = fold(
      {},
      stay('PA_1', SECOND, null, { identity: 'ann', leave }),
      stay('PA_2', back, 9 * SECOND, { identity: 'ann' }),
    ).participants;
    expect(ann?.connections[0]).toMatchObject({ leftAt: 5 * SECOND, reason: 'MIGRATION', inferred });
  });
});

// `livekit/livekit pkg/rtc/participant.go` MoveToRoom: it gets another sid, and keeps the time at which it joined the room before.
describe('a connection that is moved here from another room (`MoveParticipant`)', () => {
  const OPENED = 100 * SECOND;
  const moved = (joinedAt: number) => stay('PA_1', joinedAt, 160 * SECOND, { seenAt: 110 * SECOND });

  it('came when it was first told of here, not when it joined there, and was not here before', () => {
    const session = foldOf({ openedAt: OPENED }, moved(SECOND), stay('PA_2', OPENED, 105 * SECOND));
    expect(connectionIn(session, 'PA_1')).toMatchObject({ joinedAt: 110 * SECOND, inferred: ['joinedAt'] });
    expect(session).toMatchObject({ firstJoinedAt: OPENED, durationSeconds: 60, peakParticipants: 1 });
    expect(session.inferred).toContain('participantSeconds');
  });

  it('is not what a join seems to be that is told in whole seconds, or by another clock', () => {
    expect(foldOf({ openedAt: OPENED }, moved(99_001))).toMatchObject({
      firstJoinedAt: 99_001,
      inferred: [],
    });
  });
});

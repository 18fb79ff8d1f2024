import fc from 'fast-check';
import { mergeRoom } from '../../../src/sessions/facts/merge.js';
import { roomFact } from '../../unit/sessions/facts.js';
import type {
  ConnectionFact,
  Departure,
  EgressFact,
  EgressReport,
  RoomFact,
  RoomFinish,
  Versioned,
} from '../../../src/sessions/facts/facts.js';

/** More rounds with `TEST_LONG`: fifty times as many unless told. */
export const runs = (few: number, many = few * 50): { numRuns: number } => ({
  numRuns: process.env['TEST_LONG'] === undefined ? few : many,
});

/** How long a property may take that has thousands of rounds to go, milliseconds. */
export const LONG = process.env['TEST_LONG'] === undefined ? 300_000 : 900_000;

// Small ranges, so that facts meet often; what an event says follows from its id, as it does in life.
const time = fc.integer({ min: 0, max: 12 }).map((step) => step * 500);
const eventId = fc.constantFrom('EV_A', 'EV_B', 'EV_C', 'EV_D');
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

const told = <T>(value: (event: string) => T) =>
  fc.tuple(time, eventId).map(([at, id]) => ({ at, eventId: id, value: value(`${id}@${at}`) }));

// Who told it is part of what the event is.
const departure: fc.Arbitrary<Departure> = fc
  .tuple(
    told((event) => `REASON_OF_${event}`),
    fc.constantFrom('webhook', 'migration', 'livekit'),
  )
  .map(([{ value, at, eventId: id }, by]) => {
    if (by === 'livekit') return { at, eventId: `reconciled:${id}`, reason: null, inferred: true };
    return by === 'migration'
      ? { at, eventId: `${id}M`, reason: 'MIGRATION', inferred: true }
      : { at, eventId: id, reason: value };
  });

const written = <T>(value: (event: string) => T): fc.Arbitrary<Versioned<T>> =>
  fc
    .tuple(fc.nat(3), eventId)
    .map(([version, id]) => ({ version, eventId: id, value: value(`${id}@${version}`) }));

const finish: fc.Arbitrary<RoomFinish> = fc.oneof(
  fc.record({ at: time, endReason: maybe(fc.constantFrom('ROOM_END_A', 'ROOM_END_B')) }),
  fc.record({
    at: time,
    endReason: fc.constant(null),
    inferred: fc.constantFrom('gone' as const, 'empty' as const),
  }),
);
const finishes = fc
  .uniqueArray(finish, { selector: (one) => JSON.stringify(one), maxLength: 4 })
  // In the order that a fact has them in.
  .map((ends) => ends.map((one) => roomFact({ finishes: [one] })).reduce(mergeRoom, roomFact()).finishes);

/** Facts of one room. */
export const roomFacts: fc.Arbitrary<RoomFact> = fc.record({
  source: fc.constant('default'),
  roomSid: fc.constant('RM_1'),
  roomName: maybe(fc.constantFrom('call', 'lobby')),
  openedAt: maybe(time),
  starts: fc.uniqueArray(time, { maxLength: 4 }).map((times) => times.sort((a, b) => a - b)),
  listedAt: maybe(time),
  finishes,
  description: maybe(
    told((event) => ({ name: event })).map(({ value, ...event }) => ({ ...event, room: value })),
  ),
  seenAt: time,
});

/** Facts of connections to that room; of one, unless more sids are given. */
export const connectionFacts = (...sids: string[]): fc.Arbitrary<ConnectionFact> =>
  fc.record({
    source: fc.constant('default'),
    roomSid: fc.constant('RM_1'),
    participantSid: fc.constantFrom('PA_1', ...sids),
    identity: maybe(fc.constantFrom('ann', 'bob')),
    kind: maybe(fc.constantFrom('standard', 'agent', 'sip', 'egress', 'bridge')),
    connected: fc.boolean(),
    seenAt: maybe(time),
    lastSeenAt: maybe(time),
    joinedAt: maybe(time),
    leave: maybe(departure),
    abort: maybe(departure),
    name: maybe(written((event) => `Ann of ${event}`)),
    attributes: maybe(written((event) => ({ tier: event }))),
  });

const NOTHING = { error: null, files: [], segments: [], streams: [] };

const report: fc.Arbitrary<EgressReport> = fc
  .tuple(fc.nat(3), time, eventId, fc.boolean())
  .map(([progress, at, id, isReconciled]) => ({
    progress,
    updatedAt: at * 1_000,
    eventId: isReconciled ? `reconciled:${id}` : id,
    ...(isReconciled && { reconciled: true as const }),
    status: `status of ${id}@${at}, ${progress}`,
    endedAt: progress === 3 ? at : null,
    ...NOTHING,
  }));

/** Facts of one egress. */
export const egressFacts: fc.Arbitrary<EgressFact> = fc.record({
  source: fc.constant('default'),
  egressId: fc.constant('EG_1'),
  roomSid: fc.constantFrom('RM_1', 'RM_2'),
  seenAt: time,
  startedAt: maybe(time),
  report,
});

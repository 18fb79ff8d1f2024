import fc from 'fast-check';
import type { ConnectionFact, Departure, RoomFact, Versioned } from '../../../src/sessions/facts/facts.js';

/** More rounds with `TEST_LONG`. */
export const runs = (few: number): { numRuns: number } => ({
  numRuns: process.env['TEST_LONG'] === undefined ? few : few * 50,
});

// Small ranges, so that facts meet often; what an event says follows from its id, as it does in life.
const time = fc.integer({ min: 0, max: 12 }).map((step) => step * 500);
const eventId = fc.constantFrom('EV_A', 'EV_B', 'EV_C', 'EV_D');
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

const told = <T>(value: (event: string) => T) =>
  fc.tuple(time, eventId).map(([at, id]) => ({ at, eventId: id, value: value(`${id}@${at}`) }));

const departure: fc.Arbitrary<Departure> = told((event) => `REASON_OF_${event}`).map(
  ({ value, ...event }) => ({ ...event, reason: value }),
);

const written = <T>(value: (event: string) => T): fc.Arbitrary<Versioned<T>> =>
  fc
    .tuple(fc.nat(3), eventId)
    .map(([version, id]) => ({ version, eventId: id, value: value(`${id}@${version}`) }));

const finishes = fc
  .uniqueArray(fc.record({ at: time, endReason: maybe(fc.constantFrom('ROOM_END_A', 'ROOM_END_B')) }), {
    selector: ({ at, endReason }) => `${at} ${endReason}`,
    maxLength: 4,
  })
  .map((ends) => ends.sort((a, b) => a.at - b.at || ((a.endReason ?? '') < (b.endReason ?? '') ? -1 : 1)));

/** Facts of one room. */
export const roomFacts: fc.Arbitrary<RoomFact> = fc.record({
  source: fc.constant('default'),
  roomSid: fc.constant('RM_1'),
  roomName: maybe(fc.constantFrom('call', 'lobby')),
  openedAt: maybe(time),
  starts: fc.uniqueArray(time, { maxLength: 4 }).map((times) => times.sort((a, b) => a - b)),
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
    joinedAt: maybe(time),
    leave: maybe(departure),
    abort: maybe(departure),
    name: maybe(written((event) => `Ann of ${event}`)),
    attributes: maybe(written((event) => ({ tier: event }))),
  });

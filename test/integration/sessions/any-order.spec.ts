import fc from 'fast-check';
import type { Session } from '../../../src/sessions/session.js';
import { type CapturedDelivery, deliveries, scenarios } from '../../support/captures.js';
import { freshDatabase } from '../../support/database.js';
import { bootReceiver } from '../../support/receiver.js';

const recorded = scenarios().flatMap((scenario) => deliveries(scenario));

describe('the recorded calls make the same sessions', () => {
  let expected: unknown[];

  beforeAll(async () => {
    expected = withoutRevisions(await sessionsOf(recorded));
  });

  test('as many as there were rooms', () => {
    const rooms = new Set(recorded.map(({ body }) => /"sid":"(RM_\w+)"/.exec(body)?.[1]));
    expect(expected).toHaveLength(rooms.size);
  });

  test('when they come in reverse', async () => {
    expect(withoutRevisions(await sessionsOf(recorded.toReversed()))).toEqual(expected);
  });

  test('in any order and with repeats', async () => {
    const shuffled = fc
      .tuple(fc.shuffledSubarray(recorded, { minLength: recorded.length }), fc.subarray(recorded))
      .map(([all, again]) => [...all, ...again]);
    await fc.assert(
      fc.asyncProperty(shuffled, async (order) => {
        expect(withoutRevisions(await sessionsOf(order))).toEqual(expected);
      }),
      { numRuns: process.env['TEST_LONG'] ? 20 : 3, endOnFailure: true },
    );
  });

  test('when the process stops and starts again in between', async () => {
    const database = await freshDatabase();
    try {
      const third = Math.ceil(recorded.length / 3);
      let sessions: Session[] = [];
      for (const from of [0, third, 2 * third]) {
        const receiver = await bootReceiver(database.url);
        for (const delivery of recorded.slice(from, from + third)) await receiver.send(delivery);
        if (from === 2 * third) sessions = await receiver.sessions();
        await receiver.app.close(); // whatever is not yet in its session is found after the start
      }
      expect(withoutRevisions(sessions)).toEqual(expected);
    } finally {
      await database.drop();
    }
  });
});

async function sessionsOf(order: readonly CapturedDelivery[]): Promise<Session[]> {
  const database = await freshDatabase();
  const receiver = await bootReceiver(database.url);
  try {
    for (const delivery of order) expect(await receiver.send(delivery)).toBe(200);
    return await receiver.sessions();
  } finally {
    await receiver.app.close();
    await database.drop();
  }
}

// Sessions that began at the same millisecond are listed in the order they became known.
const withoutRevisions = (sessions: readonly Session[]): unknown[] =>
  sessions.map(({ revision: _, ...session }) => session).sort((a, b) => (a.roomSid < b.roomSid ? -1 : 1));

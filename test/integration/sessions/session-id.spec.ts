import type { Room } from 'livekit-server-sdk';
import { deliveries } from '../../support/captures.js';
import { freshDatabase } from '../../support/database.js';
import { bootReceiver } from '../../support/receiver.js';

describe("a session's id", () => {
  const idsOf = async (
    sessionId: (room: Room) => string | undefined,
    only?: RegExp,
  ): Promise<(string | null)[]> => {
    const database = await freshDatabase();
    const receiver = await bootReceiver(database.url, { sessionId });
    try {
      const sent = deliveries('two-party-call').filter(({ body }) => only?.test(body) ?? true);
      for (const delivery of sent) await receiver.send(delivery);
      return (await receiver.sessions()).map((session) => session.sessionId);
    } finally {
      await receiver.app.close();
      await database.drop();
    }
  };

  test('is what the host makes of the room', async () => {
    expect(await idsOf((room) => `order-${room.name}-${room.departureTimeout}`)).toEqual([
      'order-call-1001-2',
    ]);
  });

  test('is unknown when the host has none, and when it fails', async () => {
    expect(await idsOf(() => undefined)).toEqual([null]);
    expect(
      await idsOf(() => {
        throw new Error('no such order');
      }),
    ).toEqual([null]);
  });

  test('is not made up before LiveKit has told the room itself', async () => {
    expect(await idsOf((room) => room.name, /track_/)).toEqual([null]);
  });

  test('the host never gets to see the TURN password', async () => {
    expect(await idsOf((room) => `${room.turnPassword.length}`)).toEqual(['0']);
  });
});

import type { Room } from 'livekit-server-sdk';
import { deliveries } from '../../support/captures.js';
import { freshDatabase } from '../../support/database.js';
import { bootReceiver } from '../../support/receiver.js';
import { sessionHosts } from '../../support/session-host.js';

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

describe("a session's id that the host makes", () => {
  const hosts = sessionHosts();

  test('of a room that a newer server tells more of is what it would be', async () => {
    const host = await hosts.boot({ sessions: { sessionId: (room) => `order-${room.name}` } });
    for (const { body } of deliveries('two-party-call')) {
      await host.tester.deliver(body.replace(/"room":\s*\{/, '$&"newer":"than we",'));
    }
    await host.tester.drain();
    expect(await host.session()).toMatchObject({ sessionId: 'order-call-1001', unmatched: null });
  });

  test('is cut where no index could hold it', async () => {
    const host = await hosts.boot({ sessions: { sessionId: (room) => room.name.padEnd(10_000, '.') } });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ sessionId: 'call-1001'.padEnd(512, '.') });
  });

  test('is cut where a character does not fit as a whole', async () => {
    const host = await hosts.boot({ sessions: { sessionId: () => `${'.'.repeat(511)}😀` } });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ sessionId: `${'.'.repeat(511)}\uFFFD` });
  });

  test('is told of where it fails, and its session as unmatched, once', async () => {
    const sessionId = () => {
      throw new TypeError('no such order');
    };
    const host = await hosts.boot({ sessions: { sessionId } });
    await host.play('two-party-call');
    const told = host.logger.of('Sessions') as { message: string }[];
    expect(told).toContainEqual(
      expect.objectContaining({
        message: 'the option sessionId failed',
        room: 'call-1001',
        errorType: 'TypeError',
      }),
    );
    expect(told.filter(({ message }) => message === 'a session is unmatched')).toMatchObject([
      { room: 'call-1001', cause: 'session_id_failed' },
    ]);
  });
});

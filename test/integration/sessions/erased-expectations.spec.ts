import { Erasure } from '../../../src/event-log/retention/erasure.js';
import { EventStore } from '../../../src/database/event-store.js';
import { room, send } from '../../support/one-room.js';
import { countOf, whereIs } from '../../support/rows.js';
import { type SessionHost, sessionHosts } from '../../support/session-host.js';

const METADATA = { customer: 'Zoe' };

describe('what is expected, erased', () => {
  const hosts = sessionHosts();

  const erasure = ({ app }: SessionHost): Erasure => app.get(Erasure);

  test.each(['call-9', 'RM_1'])('with its room, by %s, leaves nothing of it', async (asked) => {
    const host = await hosts.boot({ sessions: { sessionId: () => undefined } });
    await host.service.expect('order-1', { roomName: 'call-9', metadata: METADATA });
    await send(host, 'room_started', { room: room('RM_1', 'call-9') });
    await erasure(host).eraseRoom(asked);
    expect([await whereIs(hosts.url, 'call-9'), await whereIs(hosts.url, 'Zoe')]).toEqual([[], []]);
  });

  test('with the room that it was matched with by its id is not brought back when that is rebuilt', async () => {
    const host = await hosts.boot({ sessions: { sessionId: () => 'order-1' } });
    await host.service.expect('order-1', { metadata: METADATA });
    await send(host, 'room_started', { room: room('RM_1', 'call-9') });
    await erasure(host).eraseRoom('call-9');
    await host.service.rebuildAll();
    expect(await whereIs(hosts.url, 'Zoe')).toEqual([]);
  });

  test('leaves nothing of it when it has expired', async () => {
    const host = await hosts.boot();
    await host.service.expect('call-9', { expiresIn: 0 });
    await host.pass(0);
    expect(host.eventsOf('session.expired')).toHaveLength(1);
    await erasure(host).eraseRoom('call-9');
    expect(await whereIs(hosts.url, 'call-9')).toEqual([]);
  });

  test('is erased of every project, however many are looked at once', async () => {
    const host = await hosts.boot();
    await host.app.get(EventStore).write(async (manager) => {
      const rows = [
        ...Array.from({ length: 499 }, (_, n) => `('default', 'a${n}', '{}', 'awaiting', 0, 9000000000000)`),
        ...['default', 'second', 'third'].map(
          (project) => `('${project}', 'b', '{"customer":"Zoe"}', 'awaiting', 0, 9000000000000)`,
        ),
      ];
      await manager.query(
        `INSERT INTO livekit_expected_sessions (source, session_id, metadata, state, expected_at, expires_at) VALUES ${rows.join()}`,
      );
    });
    await erasure(host).eraseIdentity('Zoe');
    expect(await countOf(hosts.url, 'livekit_expected_sessions', "metadata LIKE '%Zoe%'")).toBe(0);
  });
});

describe('an expectation that expires twice at one time', () => {
  const hosts = sessionHosts();

  test('is told twice', async () => {
    const host = await hosts.boot();
    await host.service.expect('a', { expiresIn: 1_000 });
    await host.pass(1_000);
    await host.service.expect('a', { expiresIn: 0 });
    await host.pass(0);
    expect(host.eventsOf('session.expired')).toHaveLength(2);
  });
});

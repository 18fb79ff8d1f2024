import { EventStore } from '../../../src/database/event-store.js';
import { Erasure } from '../../../src/event-log/retention/erasure.js';
import { lockRooms } from '../../../src/sessions/projection/room-locks.js';
import { sqlQuery } from '../../support/database.js';
import { gate } from '../../support/gate.js';
import { OPENED, participant, room, send } from '../../support/one-room.js';
import { testOnPostgres } from '../../support/only-on.js';
import { countOf } from '../../support/rows.js';
import { sessionHosts } from '../../support/session-host.js';
import { until } from '../../support/until.js';

describe('an erasure of sessions', () => {
  const hosts = sessionHosts();

  testOnPostgres('goes on though all that it found first has been pruned meanwhile', async () => {
    const host = await hosts.boot();
    const sids = Array.from({ length: 21 }, (_, nth) => `RM_${nth}`);
    for (const sid of sids) {
      const ann = { ...participant(`PA_${sid}`, OPENED), identity: 'ann' };
      await send(host, 'participant_joined', { room: room(sid, `name-of-${sid}`), participant: ann });
    }
    const [locked, waiting] = [gate(), gate()];
    const pruned = host.app.get(EventStore).write(async (manager) => {
      const keys = sids.map((roomSid) => ({ source: 'default', roomSid }));
      await lockRooms(manager, keys);
      locked.open();
      await waiting.opened;
      for (const table of ['sessions', 'connections', 'rooms'])
        await manager.query(`DELETE FROM livekit_${table} WHERE room_sid <> 'RM_20'`);
    });
    await locked.opened;
    const erased = host.app.get(Erasure).eraseIdentity('ann');
    await until('the erasure to wait for its rooms', async () => {
      const rows = await sqlQuery(
        hosts.url,
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      return rows.length > 0;
    });
    waiting.open();
    await pruned;
    expect(await erased).toMatchObject({ sessions: 1 });
    expect(await countOf(hosts.url, 'livekit_connections', "identity = 'ann'")).toBe(0);
  });

  test('renames no session that is unmatched: the host may answer otherwise without what was erased', async () => {
    const sessionId = ({ metadata }: { metadata: string }) =>
      (JSON.parse(metadata) as { order: string }).order;
    const host = await hosts.boot({ sessions: { requireExpected: true, sessionId } });
    for (const n of [1, 2]) {
      const told = {
        ...room(`RM_${n}`, `room-${n}`),
        metadata: JSON.stringify({ order: `order-${n}`, who: 'ann' }),
      };
      await send(host, 'room_started', { room: told });
    }
    const erasure = host.app.get(Erasure);
    await erasure.eraseRoom('room-1');
    await erasure.eraseIdentity('ann');
    const names = async () =>
      (await host.sessions()).map((one) => [one.roomSid, one.sessionId, one.unmatched]).sort();
    const kept = [
      ['RM_1', 'order-1', 'not_expected'],
      ['RM_2', 'order-2', 'not_expected'],
    ];
    expect(await names()).toEqual(kept);
    await host.service.rebuildAll();
    expect(await names()).toEqual(kept);
    await host.service.expect('order-2');
    expect(await host.service.find('order-2')).toMatchObject([{ unmatched: null }]);
  });
});

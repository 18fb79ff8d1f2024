import { block, BLOCKED, holdBack, unblock } from '../../../src/event-log/room-wait.js';
import { freshStores } from '../../support/stores.js';

describe('deliveries that wait behind one in their room', () => {
  const fresh = freshStores();
  const run = (sql: string) => fresh.store.write((manager) => manager.query(sql));

  /** So many deliveries, of the events `after` this one, of `handler` in `room`, due at 1000. */
  const waiting = (count: number, { handler = 'h', room = 'r', replay = 0, after = 0 } = {}) =>
    run(
      `WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ${count})
       INSERT INTO livekit_deliveries (event_seq, handler, order_key, due_at, replay_no) SELECT ${after} + seq, '${handler}', '${room}', 1000, ${replay} FROM n`,
    );

  /** The first delivery in the room, whose state and times are set. @returns its id. */
  const head = async (change: string): Promise<number> => {
    const first = `handler = 'h' AND order_key = 'r' AND event_seq = 1 AND replay_no = (SELECT min(replay_no) FROM livekit_deliveries)`;
    await run(`UPDATE livekit_deliveries SET ${change} WHERE ${first}`);
    const [row] = (await run(`SELECT id FROM livekit_deliveries WHERE ${first}`)) as [
      { id: number | string },
    ];
    return Number(row.id);
  };

  /** How many wait until when. */
  const due = async (handler = 'h', room = 'r') => {
    const rows = (await run(
      `SELECT due_at, count(*) AS count FROM livekit_deliveries
       WHERE state = 'pending' AND handler = '${handler}' AND order_key = '${room}' GROUP BY due_at`,
    )) as { due_at: number | string; count: number | string }[];
    return Object.fromEntries(rows.map((row) => [Number(row.due_at), Number(row.count)]));
  };

  test('are changed however many they are', async () => {
    await waiting(25_001);
    await run(
      `INSERT INTO livekit_handlers (name, patterns, ordered, blocking, first_seen, last_seen) VALUES ('h', '[]', true, true, 0, 0)`,
    );
    const id = await head('due_at = 5000');
    await fresh.store.write((manager) => holdBack(manager, id));
    expect(await due()).toEqual({ 5000: 25_001 });
    await head("state = 'dead', done_at = 6000");
    await fresh.store.write((manager) => block(manager, id));
    expect(await due()).toEqual({ [BLOCKED]: 25_000 });
    await fresh.store.write((manager) => unblock(manager, id));
    expect(await due()).toEqual({ [BLOCKED]: 25_000 });
    await head("state = 'dismissed', done_at = 7000");
    await fresh.store.write((manager) => unblock(manager, id));
    expect(await due()).toEqual({ 7000: 25_000 });
  });

  test('are changed only there, and only where they would be due before it', async () => {
    await waiting(3);
    await waiting(2, { room: 'another', after: 3 });
    await waiting(2, { handler: 'another' });
    await run(`UPDATE livekit_deliveries SET due_at = 9000 WHERE event_seq = 3`);
    const id = await head('due_at = 5000');
    await fresh.store.write((manager) => holdBack(manager, id));
    expect(await due()).toEqual({ 5000: 2, 9000: 1 });
    expect(await due('h', 'another')).toEqual({ 1000: 2 });
    expect(await due('another')).toEqual({ 1000: 2 });
  });

  test('come after it if all are replays, and replays after the others', async () => {
    await waiting(2, { replay: 1 });
    const replayed = await head('due_at = 5000');
    await fresh.store.write((manager) => holdBack(manager, replayed));
    expect(await due()).toEqual({ 5000: 1, 5001: 1 });
    await waiting(2);
    const id = await head('due_at = 6000');
    await fresh.store.write((manager) => holdBack(manager, id));
    expect(await due()).toEqual({ 6000: 2, 6001: 2 });
  });
});

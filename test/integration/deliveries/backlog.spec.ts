import { appendBatch } from '../../../src/event-log/append/append-batch.js';
import { StoreClock } from '../../../src/event-log/clock.js';
import { Backlog, MOST_COUNTED } from '../../../src/event-log/deliveries/backlog.js';
import { lagOfHandlers } from '../../../src/event-log/deliveries/handler-lag.js';
import { WebhookTimes } from '../../../src/event-log/last-webhooks.js';
import { BLOCKED } from '../../../src/event-log/room-wait.js';
import { TestClock } from '../../../src/testing/test-clock.js';
import { onPostgres, unusedDatabase } from '../../support/database.js';
import { newEvent } from '../../support/events.js';
import { freshStores } from '../../support/stores.js';
import { NOW } from '../../support/webhook.js';

describe('the backlog', () => {
  const fresh = freshStores(unusedDatabase);
  let clock: TestClock;
  let storeClock: StoreClock;
  let backlog: Backlog;

  beforeEach(() => {
    clock = new TestClock(NOW);
    storeClock = new StoreClock(fresh.store, clock);
    backlog = new Backlog(fresh.store, storeClock);
  });

  const run = (sql: string) => fresh.store.write((manager) => manager.query(sql));

  const handler = (name: string, { paused = false, retiredAt = 'NULL' } = {}) =>
    run(
      `INSERT INTO livekit_handlers (name, patterns, ordered, blocking, first_seen, last_seen, paused, retired_at)
       VALUES ('${name}', '[]', false, false, 0, 0, ${paused}, ${retiredAt})`,
    );

  const deliveries = (name: string, dueAt: number, first: number, last = first, state = 'pending') =>
    run(
      `WITH RECURSIVE n (seq) AS (SELECT ${first} UNION ALL SELECT seq + 1 FROM n WHERE seq < ${last})
       INSERT INTO livekit_deliveries (event_seq, handler, due_at, state) SELECT seq, '${name}', ${dueAt}, '${state}' FROM n`,
    );

  test('of a handler is what waits, and how long what is due has been', async () => {
    for (const name of ['idle', 'late', 'waiting']) await handler(name);
    await handler('paused', { paused: true });
    await handler('retired', { retiredAt: '1' });
    await deliveries('late', NOW - 5_000, 2);
    await deliveries('late', NOW - 9_000, 3);
    await deliveries('late', NOW - 60_000, 4, 4, 'done');
    await deliveries('waiting', NOW + 1_000, 5);
    await deliveries('waiting', BLOCKED, 6);
    await deliveries('waiting', NOW - 8_000, 8, 10, 'dead');
    for (const name of ['paused', 'retired']) await deliveries(name, NOW - 7_000, 7);
    const before = [
      { handler: 'idle', pending: 0, dead: 0, overdue: 0 },
      { handler: 'late', pending: 2, dead: 0, overdue: 9_000 },
      { handler: 'paused', pending: 1, dead: 0, overdue: 0 },
      { handler: 'waiting', pending: 2, dead: 3, overdue: 0 },
    ];
    expect(await backlog.ofHandlers()).toEqual(before);
    clock.advance(3_000);
    expect(await backlog.ofHandlers()).toMatchObject([
      { overdue: 0 },
      { overdue: 12_000 },
      { overdue: 0 },
      { overdue: 2_000 },
    ]);
  });

  test('is counted only so far', async () => {
    await handler('late');
    await deliveries('late', NOW, 1, MOST_COUNTED + 10);
    expect(await backlog.ofHandlers()).toEqual([
      { handler: 'late', pending: MOST_COUNTED, dead: 0, overdue: 0 },
    ]);
  });

  test('of events is how long the oldest has been kept that no handler has been given', async () => {
    expect(await backlog.unrouted()).toBe(0);
    await fresh.store.write((manager) =>
      appendBatch(fresh.store.dialect, manager, [newEvent({ id: 'EV_1' }), newEvent({ id: 'EV_2' })]),
    );
    await run(`UPDATE livekit_events SET received_at = ${NOW} - 10000 + 4000 * seq`);
    expect(await backlog.unrouted()).toBe(6_000);
    await run('UPDATE livekit_events SET routed = true WHERE seq = 1');
    expect(await backlog.unrouted()).toBe(2_000);
  });

  test('of a handler has the age of the oldest event in it, whenever that is due', async () => {
    await fresh.store.write((manager) =>
      appendBatch(fresh.store.dialect, manager, [newEvent({ id: 'EV_1' }), newEvent({ id: 'EV_2' })]),
    );
    await run(`UPDATE livekit_events SET received_at = ${NOW} - 10000 + 4000 * seq`);
    await deliveries('retried', NOW + 60_000, 1);
    await deliveries('retried', NOW, 2);
    await deliveries('done', NOW, 1, 1, 'done');
    expect(await backlog.ages(['retried', 'done'])).toEqual(
      new Map([
        ['retried', 6_000],
        ['done', 0],
      ]),
    );
  });

  test('has an age by the clock that dated its events, though that was ahead for a while', async () => {
    await fresh.store.write((manager) =>
      appendBatch(fresh.store.dialect, manager, [newEvent({ id: 'EV_1' }), newEvent({ id: 'EV_2' })]),
    );
    await run(`UPDATE livekit_events SET received_at = ${NOW} - 5000`);
    await handler('retried');
    await deliveries('retried', NOW, 1);
    clock.advance(3_600_000);
    expect(await backlog.unrouted()).toBe(3_605_000);
    await backlog.ofHandlers();
    clock.set(NOW);
    expect(await backlog.unrouted()).toBe(5_000);
    expect(await backlog.ages(['retried'])).toEqual(new Map([['retried', 5_000]]));
    const lags = await fresh.store.read((manager) => lagOfHandlers(manager, storeClock));
    expect(lags).toMatchObject([{ handler: 'retried', lag: 5_000 }]);
    const { now, at } = await new WebhookTimes(fresh.store, storeClock).last();
    expect([now, ...at.values()]).toEqual([NOW, NOW - 5_000]);
  });

  test('is looked up in the indexes of what is yet to be done', async () => {
    const statements: string[] = [];
    fresh.store.read = (query) =>
      fresh.store.write(async (manager) => {
        if (onPostgres)
          await manager.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off');
        return query({
          query: async (sql: string, values: unknown[]) => {
            const explain = onPostgres ? 'EXPLAIN' : 'EXPLAIN QUERY PLAN';
            statements.push(JSON.stringify(await manager.query(`${explain} ${sql}`, values)));
            return [];
          },
        } as never);
      });
    await backlog.ofHandlers();
    await backlog.unrouted();
    await backlog.ages(['late']);
    const [ofHandlers, unrouted, ages] = statements;
    expect(ofHandlers?.match(/livekit_deliveries_pending\b/g)).toHaveLength(2);
    expect(ofHandlers).toContain('livekit_deliveries_dead');
    expect(ages).toContain('livekit_deliveries_pending');
    expect(unrouted).toContain('livekit_events_unrouted');
  });
});

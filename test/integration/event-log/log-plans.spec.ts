import { EntityManager } from 'typeorm';
import { EventStore } from '../../../src/database/event-store.js';
import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { EventLog } from '../../../src/event-log/event-log.js';
import { Erasure } from '../../../src/event-log/retention/erasure.js';
import { Retention } from '../../../src/event-log/retention/retention.js';
import { SessionsService } from '../../../src/sessions/sessions.service.js';
import { deliveries } from '../../support/captures.js';
import { onPostgres, sqlQuery } from '../../support/database.js';
import { testOnPostgres } from '../../support/only-on.js';
import { planOf } from '../../support/plans.js';
import { type ReconciledHost, reconciledHosts } from '../../support/reconciled.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

type Statement = [sql: string, parameters: unknown[]];

describe('looking into the log', () => {
  const hosts = reconciledHosts();
  let host: ReconciledHost;

  beforeEach(async () => {
    host = await hosts.boot();
    await host.tester.play(deliveries('two-party-call'));
  });

  /** What is asked meanwhile in which this is found. */
  async function asked(part: string, work: () => Promise<unknown>): Promise<Statement[]> {
    const statements: Statement[] = [];
    const { query } = EntityManager.prototype;
    EntityManager.prototype.query = function (sql: string, parameters: unknown[] = []) {
      if (sql.includes(part)) statements.push([sql, parameters]);
      return query.call(this, sql, parameters) as never;
    };
    try {
      await work();
    } finally {
      EntityManager.prototype.query = query;
    }
    return statements;
  }

  const OF_ROOM = 'livekit_events_room';
  const RECEIVED = 'livekit_events_received';

  /** What is done, what of its statements is looked at, and by which index that finds its events. */
  const LOOKS: [string, string, string, () => Promise<unknown>][] = [
    ['to rebuild sessions', 'e.room_sid = ', OF_ROOM, () => host.app.get(SessionsService).rebuildAll()],
    ['to erase a room', 'UNION ALL SELECT seq', OF_ROOM, () => eraseBySid()],
    ['for what a reconciled room may be told yet', 'SELECT e.room_sid', OF_ROOM, () => reconcileTheRoom()],
    ['for what may be pruned', 'max(seq) AS last', RECEIVED, () => host.app.get(Retention).prune()],
    ['for what is to be backfilled', 'min(seq) AS first', RECEIVED, () => backfillSince(Date.now() - HOUR)],
  ];

  const eraseBySid = () => host.app.get(Erasure).eraseRoom('call-1001');

  async function reconcileTheRoom(): Promise<void> {
    const { roomSid = '' } = (await host.session('call-1001')) ?? {};
    const [sid, name] = [roomSid, 'call-1001'];
    hosts.standIn.rooms.set(name, { sid, name, creationTimeMs: String(host.clock.now()) });
    await host.round();
  }

  async function appendOne(): Promise<void> {
    await host.app.get(EventLog).append('order.placed', 1);
    await host.tester.drain();
  }

  async function backfillSince(since: number): Promise<void> {
    await host.app.get(Deliveries).backfill('sessions', { since: new Date(since) });
    await host.tester.drain();
  }

  test.each(LOOKS)('%s reads no more of it than that', async (_, part, index, work) => {
    const statements = await asked(part, work);
    expect(statements).not.toEqual([]);
    if (onPostgres) {
      // Of a handful of events or deliveries it takes now one index and now another, by whether it has counted them.
      await storeMany(Date.now() - DAY);
      await route();
      await deliverMany();
      await sqlQuery(hosts.url, 'ANALYZE');
    }
    const store = host.app.get(EventStore);
    const plans = await Promise.all(
      statements.map((statement) => store.write((manager) => planOf(manager, ...statement))),
    );
    for (const plan of plans) expect(plan).not.toMatch(/SCAN (e|livekit_events)\b(?! USING)|Seq Scan/);
    expect(plans.join('\n')).toContain(index);
  });

  const NUMBERED: [string, string, () => Promise<unknown>][] = [
    ['bodies to prune', 'DELETE FROM livekit_bodies', () => host.app.get(Retention).prune()],
    ['events to prune', 'DELETE FROM livekit_events', () => host.app.get(Retention).prune()],
    ['events to backfill', 'FROM livekit_bodies b', () => backfillSince(1)],
    ['events to mark as routed', 'NOT e.routed', () => appendOne()],
  ];

  testOnPostgres.each(NUMBERED)(
    '%s are found by their numbers, though the statistics are of before anything was routed',
    async (_, part, work) => {
      await storeMany(1);
      await sqlQuery(hosts.url, 'ANALYZE');
      await route();
      const statements = await asked(part, work);
      expect(statements).not.toEqual([]);
      const plan = await host.app
        .get(EventStore)
        .write((manager) => planOf(manager, ...(statements[0] as Statement)));
      expect(plan).toContain('livekit_events_pkey');
      expect(plan).not.toMatch(/livekit_events_(received|room)/);
    },
  );

  testOnPostgres(
    'whether there is anything to route is read off its index, though the statistics are of before anything was routed',
    async () => {
      await storeMany(1);
      await sqlQuery(hosts.url, 'ANALYZE');
      await route();
      const [statement] = await asked('WHERE NOT routed', () => appendOne());
      const plan = await sqlQuery(hosts.url, `EXPLAIN ${statement?.[0]}`);
      expect(JSON.stringify(plan)).toContain('livekit_events_unrouted');
    },
  );

  /** Events of as many rooms, received one after the other from a time on. */
  async function storeMany(receivedAt: number): Promise<void> {
    await sqlQuery(
      hosts.url,
      `WITH many AS (
         INSERT INTO livekit_events (source, event_id, kind, name, room_sid, occurred_at, received_at, body_sha256)
         SELECT 'default', 'app:' || i, 'app', 'order.placed', 'RM_' || i, i, ${receivedAt} + i, '' FROM generate_series(1, 5000) i
         RETURNING seq)
       INSERT INTO livekit_bodies (event_seq, raw) SELECT seq, '{}' FROM many`,
    );
  }

  /** Each event once, done and kept for retention. */
  const deliverMany = () =>
    sqlQuery(
      hosts.url,
      `INSERT INTO livekit_deliveries (event_seq, handler, state, due_at, done_at)
       SELECT seq, 'sessions', 'done', 0, ${Date.now()} FROM livekit_events ON CONFLICT DO NOTHING`,
    );

  const route = () => sqlQuery(hosts.url, 'UPDATE livekit_events SET routed = true');
});

import { EntityManager } from 'typeorm';
import { EventStore } from '../../../src/database/event-store.js';
import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { Erasure } from '../../../src/event-log/retention/erasure.js';
import { Retention } from '../../../src/event-log/retention/retention.js';
import { SessionsService } from '../../../src/sessions/sessions.service.js';
import { CAPTURE_KEY, deliveries } from '../../support/captures.js';
import { type FreshDatabase, freshDatabase, onPostgres } from '../../support/database.js';
import { LivekitStandIn } from '../../support/livekit-stand-in.js';
import { bootReconciled, type ReconciledHost } from '../../support/reconciled.js';

type Statement = [sql: string, parameters: unknown[]];

describe('looking into the log', () => {
  let database: FreshDatabase;
  let standIn: LivekitStandIn;
  let host: ReconciledHost;

  beforeEach(async () => {
    database = await freshDatabase();
    standIn = await LivekitStandIn.start(CAPTURE_KEY);
    host = await bootReconciled(database.url, standIn);
    await host.tester.play(deliveries('two-party-call'));
  });

  afterEach(async () => {
    await host.app.close();
    await standIn.stop();
    await database.drop();
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

  /** How that is found, in the database's own words; PostgreSQL would rather read the few rows of a test from end to end. */
  const planOf = ([sql, parameters]: Statement): Promise<string> =>
    host.app.get(EventStore).write(async (manager) => {
      if (!onPostgres) {
        const steps = await manager.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, parameters);
        return steps.map(({ detail }) => detail).join('\n');
      }
      await manager.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off');
      const steps = await manager.query<{ 'QUERY PLAN': string }[]>(`EXPLAIN ${sql}`, parameters);
      return steps.map((step) => step['QUERY PLAN']).join('\n');
    });

  const OF_ROOM = 'livekit_events_room';
  const RECEIVED = 'livekit_events_received';

  /** What is done, what of its statements is looked at, and by which index that finds its events. */
  const LOOKS: [string, string, string, () => Promise<unknown>][] = [
    ['to rebuild sessions', 'e.room_sid = ', OF_ROOM, () => host.app.get(SessionsService).rebuildAll()],
    ['to erase a room', 'UNION ALL SELECT seq', OF_ROOM, () => eraseBySid()],
    ['for what a reconciled room may be told yet', 'SELECT e.room_sid', OF_ROOM, () => reconcileTheRoom()],
    ['for what may be pruned', 'max(seq) AS last', RECEIVED, () => host.app.get(Retention).prune()],
    ['for what is to be backfilled', 'min(seq) AS first', RECEIVED, () => backfillSince()],
  ];

  const eraseBySid = () => host.app.get(Erasure).eraseRoom('call-1001');

  async function reconcileTheRoom(): Promise<void> {
    const { roomSid = '' } = (await host.session('call-1001')) ?? {};
    const [sid, name] = [roomSid, 'call-1001'];
    standIn.rooms.set(name, { sid, name, creationTimeMs: String(host.clock.now()) });
    await host.round();
  }

  async function backfillSince(): Promise<void> {
    await host.app.get(Deliveries).backfill('sessions', { since: new Date(1) });
    await host.tester.drain();
  }

  test.each(LOOKS)('%s reads no more of it than that', async (_, part, index, work) => {
    const statements = await asked(part, work);
    expect(statements).not.toEqual([]);
    const plans = await Promise.all(statements.map(planOf));
    for (const plan of plans) expect(plan).not.toMatch(/SCAN (e|livekit_events)\b(?! USING)|Seq Scan/);
    expect(plans.join('\n')).toContain(index);
  });
});

import Database from 'libsql';
import pg from 'pg';
import { Deliveries, SessionsModule } from '../../../dist/index.js';
import { application } from '../application.js';
import { appendTo } from '../events.js';
import { bodiesOf, type Copy, eventOf, MARK, STEP } from './calls.js';

/** What a store is filled with: copies of recorded calls, each in a step of time of its own. */
export interface Copies {
  /** A word in front of what tells copies from one another. */
  series: string;
  calls: string[];
  copies: number;
  /** Only the first so many events of each call, which goes on then. */
  events?: number;
}

/** Bytes and deliveries are kept of so many of the newest copies: retention has pruned the others'. */
const KEPT = 0.1;

type Row = Record<string, unknown>;
type Query = (sql: string) => Promise<Row[]>;

/**
 * Fills a store: recorded calls are taken into it as ever, by the application, and then copied by SQL as they stand there,
 * facts, sessions and all.
 *
 * @returns how many events there are.
 */
export async function fill(url: string, { series, calls, copies, events }: Copies): Promise<number> {
  const first = NEWEST - copies;
  await project(
    url,
    calls.flatMap((name) =>
      bodiesOf(name, { code: series + MARK, at: (first * STEP) / 1_000 }).slice(0, events),
    ),
  );
  return withDatabase(url, async (query) => {
    const isPostgres = url.startsWith('postgres');
    for (const table of TABLES) await copy(query, table, { series, first, copies, isPostgres });
    if (isPostgres) {
      await query(
        `SELECT setval(pg_get_serial_sequence('livekit_events', 'seq'), max(seq)) FROM livekit_events`,
      );
      await query('VACUUM ANALYZE');
    }
    const [row] = await query('SELECT count(*) AS count FROM livekit_events');
    return Number(row?.['count']);
  });
}

/** The copy of this number, from 1: its ids, and when it took place. */
export const copyOf = (series: string, nth: number, copies: number): Copy => ({
  code: series + ((nth * SPREAD) % 2 ** 32).toString(16).padStart(8, '0'),
  at: ((NEWEST - copies + nth) * STEP) / 1_000,
});

/** The step of the newest copy. */
const NEWEST = Date.UTC(2025, 0, 1) / STEP;

// LiveKit's ids come in no order: no index may have it easier than in real use.
const SPREAD = 2_654_435_761;

async function project(url: string, bodies: readonly string[]): Promise<void> {
  await appendTo(url, bodies.map(eventOf));
  const app = await application({ database: { url }, imports: [SessionsModule.forRoot({ settle: 0 })] });
  await app.init();
  await app.get(Deliveries).drain();
  await app.close();
  await withDatabase(url, async (query) => {
    for (const table of [
      'livekit_bodies WHERE event_seq',
      'livekit_deliveries WHERE event_seq',
      'livekit_events WHERE seq',
    ])
      await query(`DELETE FROM ${table} IN (SELECT seq FROM livekit_events WHERE kind = 'session')`);
  });
}

const TABLES = [
  'livekit_bodies',
  'livekit_deliveries',
  'livekit_rooms',
  'livekit_connections',
  'livekit_egresses',
  'livekit_sessions',
  'livekit_events',
];
const MADE_BY_THE_DATABASE = new Set(['id', 'pk']);
const KEPT_AS_THEY_ARE = new Set([
  'segment',
  'revision',
  'connected',
  'carried_until',
  'routed',
  'replay_no',
  'attempt',
  'lease_until',
]);

interface CopySettings {
  series: string;
  first: number;
  copies: number;
  isPostgres: boolean;
}

async function copy(
  query: Query,
  table: string,
  { series, first, copies, isPostgres }: CopySettings,
): Promise<void> {
  const [row] = await query(`SELECT * FROM ${table} LIMIT 1`);
  if (row === undefined) return;
  const columns = Object.keys(row).filter((column) => !MADE_BY_THE_DATABASE.has(column));
  const [events] = await query(
    `SELECT count(*) AS count FROM livekit_events WHERE event_id LIKE '%${series}${MARK}%'`,
  );
  const code = isPostgres
    ? `lpad(to_hex((n::bigint * ${SPREAD}) % 4294967296), 8, '0')`
    : `printf('%08x', (n * ${SPREAD}) % 4294967296)`;
  const replaced = (text: string) =>
    `replace(replace(${text}, '${MARK}', ${code}), '${first}', CAST(${first} + n AS text))`;
  const copied = (column: string) => {
    if (KEPT_AS_THEY_ARE.has(column)) return column;
    if (column.endsWith('_at')) return `${column} + n * CAST(${STEP} AS bigint)`;
    if (column.endsWith('seq')) return `${column} + n * ${events?.['count']}`;
    // A tenth is another project's, and a thousandth is out of order.
    if (column === 'source') return `CASE WHEN n % 10 = 5 THEN 'other' ELSE source END`;
    if (column === 'unmatched') return `CASE WHEN n % 1000 = 7 THEN 'not_expected' ELSE unmatched END`;
    if (column !== 'raw') return replaced(column);
    return isPostgres
      ? `convert_to(${replaced(`convert_from(raw, 'UTF8')`)}, 'UTF8')`
      : `CAST(${replaced('CAST(raw AS text)')} AS blob)`;
  };
  const isKept = table === 'livekit_bodies' || table === 'livekit_deliveries';
  const key = isKept
    ? `event_seq IN (SELECT seq FROM livekit_events WHERE event_id LIKE '%${series}${MARK}%')`
    : `${table === 'livekit_events' ? 'event_id' : 'room_sid'} LIKE '%${series}${MARK}%'`;
  const from = isKept ? Math.ceil(copies * (1 - KEPT)) : 1;
  await query(
    `WITH RECURSIVE numbers (n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM numbers WHERE n < ${copies}),
       template AS MATERIALIZED (SELECT * FROM ${table} WHERE ${key})
     INSERT INTO ${table} (${columns.join()}) ${isPostgres && columns.includes('seq') ? 'OVERRIDING SYSTEM VALUE' : ''}
     SELECT ${columns.map(copied).join()} FROM numbers CROSS JOIN template`,
  );
}

/** A connection that does not wait for the disk: what it writes can be made again. */
async function withDatabase<T>(url: string, work: (query: Query) => Promise<T>): Promise<T> {
  if (url.startsWith('postgres')) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query('SET synchronous_commit = off');
      return await work(async (sql) => (await client.query<Row>(sql)).rows);
    } finally {
      await client.end();
    }
  }
  const connection = new Database(url.slice('file:'.length), { timeout: 5_000 });
  try {
    for (const pragma of ['synchronous = OFF', 'cache_size = -1000000']) connection.pragma(pragma);
    return await work(async (sql) => {
      const statement = connection.prepare(sql);
      if (statement.reader) return statement.all() as Row[];
      statement.run();
      return [];
    });
  } finally {
    connection.close();
  }
}

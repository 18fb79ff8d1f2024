import Database from 'libsql';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { EventStore } from '../../src/database/event-store.js';
import { migrations } from '../../src/database/migrations/index.js';
import { until } from './until.js';

/** A new, empty database of the kind that this run tests, and how to remove it. */
export interface FreshDatabase {
  url: string;
  drop(): Promise<void>;
}

/** Whether this run tests PostgreSQL, as `npm run test:services` does. */
export const onPostgres = process.env['TEST_DATABASE'] === 'postgres';

const SERVER = process.env['TEST_POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres';

/** Creates a database: a file of its own, or one on the PostgreSQL server. */
export const freshDatabase = (): Promise<FreshDatabase> => (onPostgres ? freshPostgres() : freshSqlite());

/** Queries a database from outside, on a connection that no application shares; placeholders are `?` on either. */
export async function sqlQuery<Row = Record<string, unknown>>(
  url: string,
  sql: string,
  parameters: unknown[] = [],
): Promise<Row[]> {
  if (!url.startsWith('file:')) {
    let n = 0;
    const { rows } = await poolOf(url).query(
      sql.replaceAll('?', () => `$${++n}`),
      parameters,
    );
    return rows as Row[];
  }
  // SQLite would block the event loop while it waits, and the holder of the file in this process could not finish with it.
  return until('the file to be free', () => askedIfFree<Row>(url, sql, parameters), 5_000);
}

/** How many statements wait for a lock in a PostgreSQL database. */
export async function lockWaits(url: string): Promise<number> {
  const waiting = await sqlQuery(
    url,
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
  );
  return waiting.length;
}

function askedIfFree<Row>(url: string, sql: string, parameters: unknown[]): Row[] | undefined {
  const connection = new Database(url.slice('file:'.length), { timeout: 1 });
  try {
    const statement = connection.prepare(sql);
    if (statement.reader) return statement.all(...parameters) as Row[];
    statement.run(...parameters);
    return [];
  } catch (error) {
    if ((error as { code?: string }).code === 'SQLITE_BUSY') return undefined;
    throw error;
  } finally {
    connection.close();
  }
}

/** A folder for an SQLite file of its own. */
export async function freshSqlite(): Promise<FreshDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'livekit-webhooks-test-'));
  return {
    url: `file:${join(folder, 'voice.sqlite')}`,
    drop: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * A database on the PostgreSQL server, with our tables as they are after every migration: the first of a numbered series that
 * no other test holds. It is emptied, not dropped: creating and dropping one writes so much that it takes most of a test's time.
 */
export async function freshPostgres(): Promise<FreshDatabase> {
  const holder = new pg.Client({ connectionString: SERVER });
  await holder.connect();
  const template = await migratedTemplate(holder);
  for (let n = 1; ; n += 1) {
    const name = template.replace('template', String(n));
    const { rows } = await holder.query('SELECT pg_try_advisory_lock(hashtext($1)) AS ours', [name]);
    if (!(rows[0] as { ours: boolean }).ours) continue;
    if (!(await emptied(holder, name, template))) {
      await holder.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await holder.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    }
    const url = onServer(name);
    return {
      url,
      drop: async () => {
        await endPool(url);
        await holder.end(); // with its lock
      },
    };
  }
}

/** A database without any table of ours, of the kind that this run tests. */
export const emptyDatabase = (): Promise<FreshDatabase> =>
  onPostgres ? newPostgres('template1') : freshSqlite();

/** A database that no test has used: PostgreSQL's plans depend on the room that deleted rows took. */
export const unusedDatabase = async (): Promise<FreshDatabase> =>
  onPostgres ? newPostgres(await withClient(SERVER, migratedTemplate)) : freshSqlite();

async function newPostgres(template: string): Promise<FreshDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await withClient(SERVER, (server) => server.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  const url = onServer(name);
  return {
    url,
    drop: async () => {
      await endPool(url);
      await withClient(SERVER, (server) => server.query(`DROP DATABASE ${name} WITH (FORCE)`));
    },
  };
}

/** The shape of the template, which nobody changes: asked once, because nobody can copy a template that somebody is connected to. */
let templateShape: string | undefined;

/** Whether a database could be restored to its template: it exists, and no test has changed more than rows. */
async function emptied(server: pg.Client, name: string, template: string): Promise<boolean> {
  const { rowCount } = await server.query('SELECT FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0) return false;
  // The server may not have noticed yet that processes were killed, and may be about to commit what they sent.
  await server.query('SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = $1', [
    name,
  ]);
  templateShape ??= await withClient(onServer(template), shapeOf);
  return withClient(onServer(name), async (client) => {
    // What a host has of its own is not in the template.
    await client.query(`DO $$ DECLARE one record; BEGIN
      FOR one IN SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname !~ '^livekit_' LOOP
        EXECUTE format('DROP TABLE %I CASCADE', one.relname);
      END LOOP; END $$`);
    if ((await shapeOf(client)) !== templateShape) return false;
    await client.query(`DO $$ DECLARE one record; BEGIN
      FOR one IN SELECT relname, relkind FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') AND relname !~ '^livekit_migrations' LOOP
        IF one.relkind = 'r' THEN EXECUTE format('DELETE FROM %I', one.relname);
        ELSE EXECUTE format('ALTER SEQUENCE %I RESTART', one.relname); END IF;
      END LOOP; END $$`);
    return true;
  });
}

/** A hash of everything in a database but its rows. */
async function shapeOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query(`
    SELECT md5(string_agg(what, '|' ORDER BY what)) AS shape FROM (
      SELECT format('%s %s %s', c.relname, c.relkind, c.relacl) AS what FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^(pg_|information_schema)'
      UNION ALL SELECT format('%s %s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
      UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN
        (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
      UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
      UNION ALL SELECT tgname::text FROM pg_trigger
      UNION ALL SELECT format('%s %s', nspname, nspacl) FROM pg_namespace WHERE nspname !~ '^(pg_t|pg_temp)'
      UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      UNION ALL SELECT setconfig::text FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS parts`);
  return (rows[0] as { shape: string }).shape;
}

const TEMPLATE = `livekit_webhooks_template_${createHash('sha256').update(migrations.map(String).join()).digest('hex').slice(0, 16)}`;

/** Creates the template unless a run with these migrations has; it gets its name only when it is complete. */
async function migratedTemplate(server: pg.Client): Promise<string> {
  const isThere = async () =>
    (await server.query('SELECT FROM pg_database WHERE datname = $1', [TEMPLATE])).rowCount === 1;
  if (await isThere()) return TEMPLATE;
  await server.query('SELECT pg_advisory_lock(hashtext($1))', [TEMPLATE]);
  try {
    if (await isThere()) return TEMPLATE;
    const draft = `${TEMPLATE}_draft`;
    await server.query(`DROP DATABASE IF EXISTS ${draft} WITH (FORCE)`);
    await server.query(`CREATE DATABASE ${draft}`);
    const store = await EventStore.open({ url: onServer(draft) });
    await store.close();
    await server.query(`ALTER DATABASE ${draft} RENAME TO ${TEMPLATE}`);
    return TEMPLATE;
  } finally {
    await server.query('SELECT pg_advisory_unlock(hashtext($1))', [TEMPLATE]);
  }
}

const pools = new Map<string, pg.Pool>();

/** Connections that last for as long as a test asks again and again: opening one takes the server longer than most queries. */
function poolOf(url: string): pg.Pool {
  const pool =
    pools.get(url) ?? new pg.Pool({ connectionString: url, idleTimeoutMillis: 200, allowExitOnIdle: true });
  if (!pools.has(url)) pool.on('error', () => undefined); // an idle one, whose server has gone
  pools.set(url, pool);
  return pool;
}

async function endPool(url: string): Promise<void> {
  await pools.get(url)?.end();
  pools.delete(url);
}

/** The URL of a database on the server. */
function onServer(name: string): string {
  const url = new URL(SERVER);
  url.pathname = `/${name}`;
  return url.href;
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

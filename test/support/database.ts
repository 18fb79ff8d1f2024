import Database from 'libsql';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A new, empty database of the kind that this run tests, and what takes it away again. */
export interface FreshDatabase {
  url: string;
  drop(): Promise<void>;
}

/** Whether this run tests PostgreSQL: `npm run test:services` says so. */
export const onPostgres = process.env['TEST_DATABASE'] === 'postgres';

const SERVER = process.env['TEST_POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres';

/** Makes a database: a file of its own, or one on the PostgreSQL server. */
export const freshDatabase = (): Promise<FreshDatabase> => (onPostgres ? freshPostgres() : freshSqlite());

/** Asks a database from outside, on a connection of its own; placeholders are `?` on either. */
export async function sqlQuery<Row = Record<string, unknown>>(
  url: string,
  sql: string,
  parameters: unknown[] = [],
): Promise<Row[]> {
  if (!url.startsWith('file:')) {
    let n = 0;
    return withClient(url, async (client) => {
      const { rows } = await client.query(
        sql.replaceAll('?', () => `$${++n}`),
        parameters,
      );
      return rows as Row[];
    });
  }
  const connection = new Database(url.slice('file:'.length), { timeout: 5_000 });
  try {
    const statement = connection.prepare(sql);
    if (statement.reader) return statement.all(...parameters) as Row[];
    statement.run(...parameters);
    return [];
  } finally {
    connection.close();
  }
}

async function freshSqlite(): Promise<FreshDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'livekit-webhooks-test-'));
  return {
    url: `file:${join(folder, 'voice.sqlite')}`,
    drop: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function freshPostgres(): Promise<FreshDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await withClient(SERVER, (client) => client.query(`CREATE DATABASE ${name}`));
  const url = new URL(SERVER);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      await withClient(SERVER, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
    },
  };
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

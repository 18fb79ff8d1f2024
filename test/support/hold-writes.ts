import Database from 'libsql';
import pg from 'pg';
import { until } from './until.js';

/** The tables that every writer to a store needs. */
const WRITTEN = 'livekit_events, livekit_bodies, livekit_quarantine, livekit_deliveries';

/**
 * Keeps everybody else from writing to a store that has its schema, until released.
 *
 * @param tables to lock in PostgreSQL, where nobody may read them either.
 */
export async function holdWrites(url: string, tables = WRITTEN): Promise<{ release(): Promise<void> }> {
  if (!url.startsWith('file:')) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('BEGIN');
    await client.query("SET LOCAL deadlock_timeout = '1min'"); // so that in a deadlock the other side gives way
    await client.query(`LOCK TABLE ${tables} IN ACCESS EXCLUSIVE MODE`);
    return { release: () => client.end() };
  }
  const connection = new Database(url.slice('file:'.length), { timeout: 1 });
  // Waiting for the lock inside SQLite would keep this process from sending, and leave the other process nothing to do.
  await until('the write lock', () => begins(connection));
  return {
    release: async () => {
      connection.exec('ROLLBACK');
      connection.close();
    },
  };
}

function begins(connection: { exec(sql: string): unknown }): boolean {
  try {
    connection.exec('BEGIN IMMEDIATE');
    return true;
  } catch {
    return false;
  }
}

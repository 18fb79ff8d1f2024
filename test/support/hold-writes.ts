import Database from 'libsql';
import pg from 'pg';
import { until } from './until.js';

/** Keeps everybody else from writing to a store that has its schema, until released. */
export async function holdWrites(url: string): Promise<{ release(): Promise<void> }> {
  if (!url.startsWith('file:')) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('BEGIN');
    await client.query("SET LOCAL deadlock_timeout = '1min'"); // whoever is in the way of this one gives way
    await client.query(
      'LOCK TABLE livekit_events, livekit_bodies, livekit_quarantine, livekit_deliveries IN ACCESS EXCLUSIVE MODE',
    );
    return { release: () => client.end() };
  }
  const connection = new Database(url.slice('file:'.length), { timeout: 1 });
  // Whoever waited for the lock in SQLite would keep this process from sending on, and the other would have nothing to do.
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

import Database from 'libsql';
import pg from 'pg';

/** Keeps everybody else from writing to a store that has its schema, until released. */
export async function holdWrites(url: string): Promise<{ release(): Promise<void> }> {
  if (!url.startsWith('file:')) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('BEGIN');
    await client.query(
      'LOCK TABLE livekit_events, livekit_bodies, livekit_quarantine IN ACCESS EXCLUSIVE MODE',
    );
    return { release: () => client.end() };
  }
  const connection = new Database(url.slice('file:'.length), { timeout: 5_000 });
  connection.exec('BEGIN IMMEDIATE');
  return {
    release: async () => {
      connection.exec('ROLLBACK');
      connection.close();
    },
  };
}

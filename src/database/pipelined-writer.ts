import type { Pool } from 'pg';
import { BEGIN_SERVING, POSTGRES_CONNECTION } from './data-source.js';

/** A write on PostgreSQL of one statement. */
export interface PipelinedWrite {
  text: string;
  parameters: unknown[];
}

/**
 * Writes of one statement, each in a transaction of its own that begins, writes and commits in one round trip, one after the
 * other on a connection of its own: what it sends at once waits for nobody's, and nobody's for it.
 */
export class PipelinedWriter {
  private constructor(private readonly pool: Pool) {}

  /** Connects when it has something to write. */
  static async to(url: string): Promise<PipelinedWriter> {
    const { default: pg } = await import('pg');
    const pool = new pg.Pool({
      ...POSTGRES_CONNECTION,
      connectionString: url,
      max: 1,
      idleTimeoutMillis: 0, // a lone webhook is not to wait for a connection
      pipeline: true,
    });
    // One that dies is replaced by the next write's, and an error that nobody hears ends the process.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
    return new PipelinedWriter(pool);
  }

  /**
   * Writes, and gives what the statement returned.
   *
   * @throws what PostgreSQL refused first: it makes a COMMIT behind what failed a rollback. After a connection that was lost
   *   nobody knows what became of the write.
   */
  async write<Row extends object>({ text, parameters }: PipelinedWrite): Promise<Row[]> {
    const client = await this.pool.connect();
    const begun = client.query(BEGIN_SERVING);
    const written = client.query<Row>(text, parameters);
    const committed = client.query('COMMIT');
    const answers = await Promise.allSettled([begun, written, committed]);
    const refused = answers.find(({ status }) => status === 'rejected');
    client.release(refused !== undefined); // it may be the connection that is of no more use
    if (refused !== undefined) throw (refused as PromiseRejectedResult).reason;
    return (await written).rows;
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

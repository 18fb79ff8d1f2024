import { hash } from 'node:crypto';
import type { Pool } from 'pg';
import { driverCode } from '../driver-code.js';
import { BEGIN_SERVING, POSTGRES_CONNECTION } from './settings.js';

/** A write of one statement on PostgreSQL. */
export interface PipelinedWrite {
  /** One of a few texts: each stays prepared. */
  text: string;
  parameters: unknown[];
}

/**
 * SQLSTATEs of a prepared statement that is missing (`invalid_sql_statement_name`), or exists already
 * (`duplicate_prepared_statement`).
 */
const NOT_AS_PREPARED = new Set<unknown>(['26000', '42P05']);

/**
 * Writes of one statement, each in a transaction of its own that begins, writes and commits in one round trip, one after the
 * other on a connection of its own: what it sends at once waits for no other work, nor other work for it. Its statements are
 * prepared once, unless a pooler in between gives each transaction another connection and does not support that.
 */
export class PipelinedWriter {
  private prepares = true;
  private readonly names = new Map<string, string>();

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
    // A connection that dies is replaced at the next write, and an error without a listener ends the process.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
    return new PipelinedWriter(pool);
  }

  /**
   * Writes, and returns the statement's rows.
   *
   * @throws PostgreSQL's first error: it makes a COMMIT after a failure a rollback. After a lost connection it is unknown what
   *   became of the write.
   */
  async write<Row extends object>(write: PipelinedWrite): Promise<Row[]> {
    const { prepares } = this;
    try {
      return await this.send<Row>(write);
    } catch (error) {
      if (!prepares || !NOT_AS_PREPARED.has(driverCode(error))) throw error;
      this.prepares = false;
      return this.write(write);
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  private async send<Row extends object>({ text, parameters: values }: PipelinedWrite): Promise<Row[]> {
    const client = await this.pool.connect();
    const { stream } = client.connection;
    stream.cork(); // all of it in one packet
    const begun = client.query(BEGIN_SERVING);
    const written = client.query<Row>(
      this.prepares ? { name: this.nameOf(text), text, values } : { text, values },
    );
    const committed = client.query('COMMIT');
    stream.uncork();
    const answers = await Promise.allSettled([begun, written, committed]);
    const refused = answers.find(({ status }) => status === 'rejected');
    client.release(refused !== undefined); // the connection itself may be useless
    if (refused !== undefined) throw (refused as PromiseRejectedResult).reason;
    return (await written).rows;
  }

  // Another release's statement, which a pooler's connection may still have, must not be mistaken for this one's.
  private nameOf(text: string): string {
    const name = this.names.get(text) ?? `livekit_${hash('sha256', text).slice(0, 16)}`;
    this.names.set(text, name);
    return name;
  }
}

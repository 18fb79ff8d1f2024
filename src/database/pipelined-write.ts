import type { EntityManager } from 'typeorm';

/** A write on PostgreSQL of one statement: it begins, writes and commits in one round trip. */
export interface PipelinedWrite<Row, T> {
  text: string;
  parameters: unknown[];
  /**
   * Reads what became of it by the rows that it returned, which is committed by then: if that fails the write has failed, and
   * its repeat finds all done.
   */
  read(rows: Row[], manager: EntityManager): Promise<T>;
}

/** What is used of a connection of `pg` with `pipeline: true`, which sends each statement at once. */
export interface PipelinedConnection {
  query<Row>(text: string, parameters?: unknown[]): Promise<{ rows: Row[] }>;
}

/**
 * Runs a write in a transaction of its own.
 *
 * @throws what PostgreSQL refused first: the COMMIT behind it has rolled back.
 */
export async function commitAtOnce<Row>(
  connection: PipelinedConnection,
  { text, parameters }: PipelinedWrite<Row, unknown>,
): Promise<Row[]> {
  const [begun, written, committed] = await Promise.allSettled([
    connection.query('START TRANSACTION'),
    connection.query<Row>(text, parameters),
    connection.query('COMMIT'),
  ]);
  if (begun.status === 'rejected') throw begun.reason;
  if (written.status === 'rejected') throw written.reason;
  if (committed.status === 'rejected') throw committed.reason;
  return written.value.rows;
}

/** Runs a write in a transaction of somebody else's. */
export const runPipelined = async <Row, T>(
  manager: EntityManager,
  { text, parameters, read }: PipelinedWrite<Row, T>,
): Promise<T> => read(await manager.query<Row[]>(text, parameters), manager);

import type { EntityManager } from 'typeorm';
import { jsonText } from '../sql.js';

/**
 * A write on SQLite whose statements need nothing of this process between them: they find their data on the stage, so that
 * they can run where they hold nobody up, on one of libsql's threads.
 */
export interface StagedWrite<T> {
  rows: readonly (readonly unknown[])[];
  bytes: Buffer;
  statements: readonly string[];
  /** Reads its result, which is committed by then: if that fails the write has failed, and its repeat finds all done. */
  read(manager: EntityManager): Promise<T>;
}

/**
 * Creates the stage: one row, the connection's own. In memory, because webhooks' bytes must not end up in temporary files.
 */
export const MAKE_STAGE = `PRAGMA temp_store = MEMORY;
  CREATE TEMP TABLE livekit_stage (rows text, bytes blob, last_seq integer);
  INSERT INTO temp.livekit_stage VALUES (NULL, NULL, NULL)`;

/** The rows on the stage as a query: each is a JSON array in `value`, with its index in `key`, from 0. */
export const STAGED_ROWS = 'json_each((SELECT rows FROM temp.livekit_stage))';

/** The bytes on the stage. */
export const STAGED_BYTES = '(SELECT bytes FROM temp.livekit_stage)';

/** The last `seq` that an event had been given when the stage was set, 0 when there was none. */
export const LAST_SEQ = '(SELECT last_seq FROM temp.livekit_stage)';

/** Sets the stage, in the transaction of the statements. */
export async function setStage(manager: EntityManager, { rows, bytes }: StagedWrite<unknown>): Promise<void> {
  await manager.query(
    // As AUTOINCREMENT would count: no number is used again, even if its event was pruned or the count was reset.
    `UPDATE temp.livekit_stage SET rows = ?1, bytes = ?2,
       last_seq = max(coalesce((SELECT max(seq) FROM livekit_events), 0),
                      coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'livekit_events'), 0))`,
    [jsonText(rows), bytes],
  );
}

/** When the stage of each connection is free for the next write. */
const stages = new WeakMap<EntityManager['dataSource'], Promise<void>>();

/** Runs a staged write in a caller's transaction, which may have several at once: one after the other, on the one stage. */
export function runStaged<T>(manager: EntityManager, write: StagedWrite<T>): Promise<T> {
  const run = async () => {
    await setStage(manager, write);
    for (const statement of write.statements) await manager.query(statement);
    return write.read(manager);
  };
  const result = (stages.get(manager.dataSource) ?? Promise.resolve()).then(run);
  const isOver = () => undefined;
  stages.set(manager.dataSource, result.then(isOver, isOver));
  return result;
}

/** Reads the JSON that the statements have left in `rows` on the stage: row by row it would take several times as long. */
export async function resultOnStage<Result>(manager: EntityManager): Promise<Result> {
  const [stage] = await manager.query<[{ rows: string }]>('SELECT rows FROM temp.livekit_stage');
  return JSON.parse(stage.rows) as Result;
}

import type { EntityManager } from 'typeorm';

/**
 * A write on SQLite whose statements need nothing of this process between them: they find what they are about on the stage,
 * so that they can run where nobody waits for them, on one of libsql's threads.
 */
export interface StagedWrite<T> {
  rows: readonly (readonly unknown[])[];
  bytes: Buffer;
  statements: readonly string[];
  /** Reads what became of it, which is committed by then: if that fails the write has failed, and its repeat finds all done. */
  read(manager: EntityManager): Promise<T>;
}

/**
 * Makes the stage: one row, the connection's own. In memory, for the bytes of webhooks must not lie about in temporary files.
 */
export const MAKE_STAGE = `PRAGMA temp_store = MEMORY;
  CREATE TEMP TABLE livekit_stage (rows text, bytes blob, last_seq integer);
  INSERT INTO temp.livekit_stage VALUES (NULL, NULL, NULL)`;

/** The rows on the stage as a query: each is a JSON array in `value`, and has its place among them in `key`, from 0. */
export const STAGED_ROWS = 'json_each((SELECT rows FROM temp.livekit_stage))';

/** The bytes on the stage. */
export const STAGED_BYTES = '(SELECT bytes FROM temp.livekit_stage)';

/** The number that an event was given last when the stage was set, 0 when there was none. */
export const LAST_SEQ = '(SELECT last_seq FROM temp.livekit_stage)';

/** Sets the stage, in the transaction of the statements. */
export async function setStage(manager: EntityManager, { rows, bytes }: StagedWrite<unknown>): Promise<void> {
  await manager.query(
    // As AUTOINCREMENT would count them: no number comes again, be its event pruned or its count reset.
    `UPDATE temp.livekit_stage SET rows = ?1, bytes = ?2,
       last_seq = max(coalesce((SELECT max(seq) FROM livekit_events), 0),
                      coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'livekit_events'), 0))`,
    [JSON.stringify(rows), bytes],
  );
}

/** Of each connection, when whoever comes next has the stage. */
const stages = new WeakMap<EntityManager['dataSource'], Promise<void>>();

/** Runs a staged write in a transaction of somebody else's, who may have several at once: there is one stage. */
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

/** What the statements have left in `rows` on the stage, in JSON: row by row it would take several times as long. */
export async function resultOnStage<Result>(manager: EntityManager): Promise<Result> {
  const [stage] = await manager.query<[{ rows: string }]>('SELECT rows FROM temp.livekit_stage');
  return JSON.parse(stage.rows) as Result;
}

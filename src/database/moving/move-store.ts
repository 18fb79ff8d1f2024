import { randomUUID } from 'node:crypto';
import { toldUrl } from '../database-url.js';
import type { SourceRow } from './batches.js';
import { MovedStoreDiffersError, StoreMovedError } from './errors.js';
import { hashOfRows } from './rows-hash.js';
import { type RowKey, SourceStore } from './source-store.js';
import { type MovedTable, tablesToMove } from './tables.js';
import { TargetStore, toTarget } from './target-store.js';

/** How far a move has come with a table. */
export interface MoveProgress {
  step: 'copied' | 'verified';
  table: string;
  /** Rows done so far, and in all. */
  rows: number;
  of: number;
}

/** Which store to move where. */
export interface MoveOptions {
  /** `file:./data/voice.sqlite` */
  from: string;
  /** `postgres://user:password@host/database` */
  to: string;
  /** Called after each batch of rows. */
  onProgress?: (progress: MoveProgress) => void;
}

/** A store that has been moved. */
export interface MovedStore {
  /** Where it is now, without credentials. */
  target: string;
  /** The rows of each table; empty when the store had been moved before. */
  tables: { name: string; rows: number }[];
  /** The host's own tables in the SQLite file, which stay there. */
  leftBehind: string[];
}

/**
 * Copies an SQLite store into an empty PostgreSQL database, and compares the two. It may be interrupted at any moment: called
 * again, it resumes. Meanwhile no application starts on either; afterwards only on the new one.
 *
 * @throws MoveRefusedError, DatabaseInUseError, StoreMovedError when it can't begin, MovedStoreDiffersError when the copy is
 *   not equal, or the driver's own error.
 */
export async function moveStore({
  from,
  to,
  onProgress = () => undefined,
}: MoveOptions): Promise<MovedStore> {
  const source = SourceStore.open(from);
  try {
    const target = await TargetStore.open(to);
    try {
      return await move(source, target, toldUrl(to), onProgress);
    } finally {
      await target.close();
    }
  } finally {
    source.close();
  }
}

/** Returns a store that has been moved, or was about to be, to the application. @throws as `moveStore` does. */
export function releaseStore(from: string): void {
  const source = SourceStore.open(from);
  try {
    source.takeMarkOff();
  } finally {
    source.close();
  }
}

async function move(
  source: SourceStore,
  target: TargetStore,
  told: string,
  onProgress: (progress: MoveProgress) => void,
): Promise<MovedStore> {
  const mark = await source.mark();
  const id = mark?.id ?? randomUUID();
  const leftBehind = source.foreignTables();
  if ((await target.finishedMove()) === id) {
    source.putMark({ id, target: told, finished: true }); // it was interrupted between the two
    return { target: told, tables: [], leftBehind };
  }
  if (mark?.finished) throw new StoreMovedError(mark.target, true);

  await target.migrate();
  await target.requireReady(id);
  await source.migrate();
  const tables = tablesToMove(source.tables(), await target.tables());
  source.putMark({ id, target: told, finished: false });
  await target.begin(id, tables);

  const moved: MovedStore['tables'] = [];
  for (const table of tables) await copy(source, target, table, onProgress);
  const lastNumbers = source.lastNumbers();
  for (const table of tables) await target.ready(table, lastNumbers.get(table.name) ?? 0);
  for (const table of tables) {
    moved.push({ name: table.name, rows: await verify(source, target, table, onProgress) });
  }
  await target.finish();
  source.putMark({ id, target: told, finished: true });
  return { target: told, tables: moved, leftBehind };
}

async function copy(
  source: SourceStore,
  target: TargetStore,
  table: MovedTable,
  onProgress: (progress: MoveProgress) => void,
): Promise<void> {
  const of = source.count(table);
  const { after, rows: before } = await target.progress(table);
  let rows = before;
  for (const batch of source.batches(table, after)) {
    const values = batch.map((row) => toTarget(table, row));
    await target.write(table, values, keyOf(table)(batch.at(-1) as SourceRow));
    rows += batch.length;
    onProgress({ step: 'copied', table: table.name, rows, of });
  }
}

/** @returns how many rows there are. */
async function verify(
  source: SourceStore,
  target: TargetStore,
  table: MovedTable,
  onProgress: (progress: MoveProgress) => void,
): Promise<number> {
  const of = source.count(table);
  let rows = 0;
  for (const batch of source.batches(table)) {
    const expected = hashOfRows(batch.map((row) => toTarget(table, row)));
    if ((await target.hashOf(table, batch.map(keyOf(table)))) !== expected) {
      throw new MovedStoreDiffersError(
        table.name,
        `rows ${rows + 1} to ${rows + batch.length} have another hash`,
      );
    }
    rows += batch.length;
    onProgress({ step: 'verified', table: table.name, rows, of });
  }
  // Every row of the source is there; only their number shows whether there are others, too.
  const there = await target.count(table);
  if (there !== rows) throw new MovedStoreDiffersError(table.name, `${there} rows instead of ${rows}`);
  return rows;
}

function keyOf({ columns, key }: MovedTable): (row: SourceRow) => RowKey {
  const places = key.map((name) => columns.findIndex((column) => column.name === name));
  return (row) => places.map((place) => row[place] as string | number);
}

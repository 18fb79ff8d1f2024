import type { DataSource } from 'typeorm';
import { hasTable } from '../has-table.js';
import { HalfMovedStoreError, StoreMovedError } from './errors.js';

/*
 * Tables that a store has only when it takes part in a move. Their existence is what counts: it makes no difference if a role
 * may not read them, or if the schema is of another version.
 */

/** In the target: how far each table has come. It has this name as long as something is missing. */
export const MOVING_IN = 'livekit_moving_in';

/** The name of the same table when everything is there. */
export const MOVED_IN = 'livekit_moved_in';

/** In the source, from the first copied row on: where it is moved to. */
export const MOVED_OUT = 'livekit_moved_out';

/** Tables that belong to one database, and stay there. */
export const NOT_MOVED: ReadonlySet<string> = new Set([MOVING_IN, MOVED_IN, MOVED_OUT, 'livekit_migrations']);

/** The mark in the source of a move. */
export interface MoveMark {
  /** The id of the move, the same in the target. */
  id: string;
  /** Where to, without credentials. */
  target: string;
  finished: boolean;
}

/** @throws HalfMovedStoreError or StoreMovedError when an application must not write to this store. */
export async function refuseMovedStore(store: DataSource): Promise<void> {
  if (store.options.type === 'postgres') {
    if (await hasTable(store.manager, MOVING_IN)) throw new HalfMovedStoreError();
    return;
  }
  const mark = await moveMarkOf((sql) => store.query(sql));
  if (mark !== undefined) throw new StoreMovedError(mark.target, mark.finished);
}

/** The mark in an SQLite store, if it has one. */
export async function moveMarkOf(query: (sql: string) => Promise<unknown[]>): Promise<MoveMark | undefined> {
  const tables = await query(`SELECT name FROM sqlite_master WHERE name = '${MOVED_OUT}'`);
  if (tables.length === 0) return undefined;
  const [row] = (await query(`SELECT move_id, target, finished FROM ${MOVED_OUT}`)) as [
    { move_id: string; target: string; finished: number }?,
  ];
  return row && { id: row.move_id, target: row.target, finished: row.finished === 1 };
}

import { MoveRefusedError } from './errors.js';
import { NOT_MOVED } from './marks.js';

/** A column on PostgreSQL. */
export interface MovedColumn {
  name: string;
  /** The name of its type on PostgreSQL. */
  type: string;
}

/** A table that is moved, row by row in the order of its key. */
export interface MovedTable {
  name: string;
  columns: readonly MovedColumn[];
  /** The primary key's columns. */
  key: readonly string[];
  /** PostgreSQL's sequence that numbers its rows, if one does. */
  sequence?: string;
}

/** A table as SQLite has it. */
export interface SourceTable {
  name: string;
  columns: readonly string[];
  key: readonly string[];
}

/** A table as PostgreSQL has it. */
export interface TargetTable {
  name: string;
  columns: readonly MovedColumn[];
  sequence?: string;
}

/**
 * The tables to move: every one of ours that the source has, whatever version of the schema created it.
 *
 * @throws MoveRefusedError when the target can't hold all of it, because a later version has written one of them.
 */
export function tablesToMove(source: readonly SourceTable[], target: readonly TargetTable[]): MovedTable[] {
  return source
    .filter(({ name }) => !NOT_MOVED.has(name))
    .map(({ name, columns, key }) => {
      const there = target.find((table) => table.name === name);
      const namesThere = there?.columns.map((column) => column.name) ?? [];
      if (there === undefined || columns.toSorted().join() !== namesThere.toSorted().join()) {
        throw new MoveRefusedError(
          `${name} is not the same table in the source and in the target: a later version of nestjs-livekit-webhooks has been ` +
            'at work on one of them. Run `migrate-store` of that version',
        );
      }
      return { ...there, key };
    });
}

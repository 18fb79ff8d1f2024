import type { QueryRunner } from 'typeorm';
import type { DatabaseLocation } from './database-url.js';

/** The two databases we speak. */
export type Dialect = DatabaseLocation['dialect'];

/** The nth placeholder of a statement, from 1 (`$1` means a named parameter to SQLite, `?1` nothing to PostgreSQL). */
export const placeholder = (dialect: Dialect, n: number): string =>
  dialect === 'postgres' ? `$${n}` : `?${n}`;

/** Rows as the text and the parameters of a `VALUES` list: `($1,$2),($3,$4)`. */
export function valuesList(
  dialect: Dialect,
  rows: readonly (readonly unknown[])[],
): { text: string; parameters: unknown[] } {
  let n = 0;
  const text = rows.map((row) => `(${row.map(() => placeholder(dialect, ++n)).join(',')})`).join(',');
  return { text, parameters: rows.flat() };
}

/** Bytes as either driver gives them: `pg` a Buffer, `libsql` an ArrayBuffer. */
export const bytes = (value: Buffer | ArrayBuffer): Buffer =>
  Buffer.isBuffer(value) ? value : Buffer.from(value);

/** What the two databases call a column's type, for migrations. */
export const columnTypes = (dialect: Dialect) =>
  dialect === 'postgres'
    ? {
        identity: 'bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY',
        int64Key: 'bigint PRIMARY KEY',
        bytes: 'bytea',
      }
    : { identity: 'integer PRIMARY KEY AUTOINCREMENT', int64Key: 'integer PRIMARY KEY', bytes: 'blob' };

/** The dialect of a TypeORM query runner, for migrations. */
export const dialectOf = (runner: QueryRunner): Dialect =>
  runner.dataSource.options.type === 'postgres' ? 'postgres' : 'sqlite';

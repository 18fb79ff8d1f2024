import type { EntityManager, QueryRunner } from 'typeorm';
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

/** A statement's parameters, numbered as they are written into its text. */
export class Parameters {
  readonly values: unknown[] = [];

  constructor(private readonly dialect: Dialect) {}

  /** The placeholder of one more value. */
  add(value: unknown): string {
    this.values.push(value);
    return placeholder(this.dialect, this.values.length);
  }

  /** The placeholders of some values, in parentheses, for `IN`. */
  list(values: readonly unknown[]): string {
    return `(${values.map((value) => this.add(value)).join(',')})`;
  }

  /** Rows as a query: on PostgreSQL of arrays, which it reads several times faster than a long list of parameters. */
  rows(types: readonly string[], rows: readonly (readonly unknown[])[]): string {
    if (this.dialect === 'sqlite') return `VALUES ${rows.map((row) => this.list(row)).join(',')}`;
    const arrays = types.map((type, column) => `${this.add(rows.map((row) => row[column]))}::${type}[]`);
    return `SELECT * FROM unnest(${arrays.join()})`;
  }
}

/** The end of a query for rows that nobody else has locked, which are locked then. SQLite has one writer, and no such locks. */
export const skipLocked = (dialect: Dialect): string =>
  dialect === 'postgres' ? 'FOR UPDATE SKIP LOCKED' : '';

/** The rows of `UPDATE … RETURNING` and `DELETE … RETURNING`: TypeORM's PostgreSQL driver puts their count beside them. */
export const rowsOf = <Row>(result: unknown): Row[] => {
  const [first] = result as [unknown];
  return (Array.isArray(first) ? first : result) as Row[];
};

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

/** The dialect that TypeORM's query runner or manager speaks. */
export const dialectOf = ({ dataSource }: QueryRunner | EntityManager): Dialect =>
  dataSource.options.type === 'postgres' ? 'postgres' : 'sqlite';

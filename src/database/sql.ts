import type { EntityManager, QueryRunner } from 'typeorm';
import type { DatabaseLocation } from './database-url.js';

/** The two databases that we support. */
export type Dialect = DatabaseLocation['dialect'];

/**
 * A statement's parameters, numbered as they are written into its text. However many values a list has, they are one
 * parameter, or one per column: so the text stays the same, and SQLite, which takes as long to prepare a long one as to run
 * it, prepares it once.
 */
export class SqlParameters {
  readonly values: unknown[] = [];

  constructor(private readonly dialect: Dialect) {}

  /** The placeholder of one more value. */
  add(value: unknown): string {
    this.values.push(value);
    // `$1` means a named parameter to SQLite, `?1` nothing to PostgreSQL.
    return `${this.dialect === 'postgres' ? '$' : '?'}${this.values.length}`;
  }

  /** The condition that a column is one of some numbers or texts. */
  isOneOf(column: string, values: readonly unknown[]): string {
    return this.dialect === 'postgres'
      ? `${column} = ANY(${this.add(values)})`
      : `${column} IN (SELECT value FROM json_each(${this.add(JSON.stringify(values))}))`;
  }

  /** The condition that two columns, written as in a row, are one of some pairs of texts. */
  isOneOfPairs(columns: string, pairs: readonly (readonly [string, string])[]): string {
    return `(${columns}) IN (${this.rows(['text', 'text'], pairs)})`;
  }

  /** Rows of numbers and texts as a query. */
  rows(types: readonly string[], rows: readonly (readonly unknown[])[]): string {
    if (this.dialect === 'sqlite') {
      const columns = types.map((_, column) => `value ->> ${column}`);
      return `SELECT ${columns.join()} FROM json_each(${this.add(jsonText(rows))}) WHERE true`;
    }
    const arrays = types.map((type, column) => `${this.add(rows.map((row) => row[column]))}::${type}[]`);
    return `SELECT * FROM unnest(${arrays.join()})`;
  }
}

/** The end of a query that locks its rows and skips those locked elsewhere. SQLite has one writer, and no such locks. */
export const skipLocked = (dialect: Dialect): string =>
  dialect === 'postgres' ? 'FOR UPDATE SKIP LOCKED' : '';

/** The rows of `UPDATE … RETURNING` and `DELETE … RETURNING`: TypeORM's PostgreSQL driver puts their count beside them. */
export const rowsOf = <Row>(result: unknown): Row[] => {
  const [first] = result as [unknown];
  return (Array.isArray(first) ? first : result) as Row[];
};

/**
 * Values as JSON for SQLite to take texts from. Of half a surrogate pair it would make a text that is not UTF-8, and libsql
 * ends the process that reads one (`libsql` `src/value.rs`).
 */
export function jsonText(values: unknown): string {
  const json = JSON.stringify(values);
  if (!json.includes('\\ud')) return json;
  return JSON.stringify(values, (_, value: unknown) =>
    typeof value === 'string' ? value.toWellFormed() : value,
  );
}

/** The values of a column or an expression as a list in JSON text. */
export const jsonList = (dialect: Dialect, values: string): string =>
  dialect === 'postgres' ? `coalesce(json_agg(${values}), '[]')::text` : `json_group_array(${values})`;

/** The items of a list in JSON text as a table with the column `value`. */
export const jsonValues = (dialect: Dialect, json: string): string =>
  dialect === 'postgres'
    ? `jsonb_array_elements_text(${json}::jsonb) AS listed (value)`
    : `json_each(${json})`;

/** Bytes as either driver returns them: `pg` a Buffer, `libsql` an ArrayBuffer. */
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

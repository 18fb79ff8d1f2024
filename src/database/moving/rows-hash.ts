import { createHash } from 'node:crypto';
import type { MovedColumn } from './tables.js';

/** A value as PostgreSQL's driver accepts it. */
export type TargetValue = string | number | boolean | Buffer | null;

/**
 * The SHA-256 of rows: each value in order, as text after its length in bytes, `-` for none.
 *
 * `rowText` is the same in SQL.
 */
export function hashOfRows(rows: readonly (readonly TargetValue[])[]): string {
  const hash = createHash('sha256');
  for (const row of rows) hash.update(row.map(textOf).join(''));
  return hash.digest('hex');
}

/** The SQL of the text that `hashOfRows` hashes of a row of the table `t`. */
export const rowText = (columns: readonly MovedColumn[]): string =>
  columns
    .map(({ name, type }) => (type === 'bytea' ? `encode(t.${name}, 'hex')` : `t.${name}::text`))
    .map((text) => `coalesce(octet_length(${text}) || ':' || ${text}, '-')`)
    .join(' || ');

function textOf(value: TargetValue): string {
  if (value === null) return '-';
  const text = Buffer.isBuffer(value) ? value.toString('hex') : String(value);
  return `${Buffer.byteLength(text)}:${text}`;
}

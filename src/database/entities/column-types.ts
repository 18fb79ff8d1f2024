import type { ColumnOptions, ValueTransformer } from 'typeorm';

// PostgreSQL's driver returns a bigint as text; every number we store is a safe integer.
const safeInteger: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: string | number | null) => (value === null ? null : Number(value)),
};

/** A column of UTC milliseconds, or any other 64-bit integer. */
export const int64: ColumnOptions = { type: 'bigint', transformer: safeInteger };

/** An `int64` that may be unknown. */
export const int64OrNull: ColumnOptions = { ...int64, nullable: true };

/** A text that may be unknown. */
export const textOrNull: ColumnOptions = { type: 'text', nullable: true };

/** A value kept as JSON text: read whole, never queried into. */
export const json: ColumnOptions = { type: 'simple-json' };

/** A `json` that may be unknown. */
export const jsonOrNull: ColumnOptions = { type: 'simple-json', nullable: true };

/** The values of a row, in the order of its table's columns, as SQLite returns them. */
export type SourceRow = readonly (string | number | null | Uint8Array | ArrayBuffer)[];

/** The most that is written in one transaction: this much is repeated after an interruption. */
const BATCH = { rows: 2_000, bytes: 4 * 1024 * 1024 };

/** Splits rows into batches that fit into memory, however large their payloads are. */
export function* inBatches(rows: Iterable<SourceRow>): Generator<SourceRow[]> {
  let batch: SourceRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    batch.push(row);
    bytes += sizeOf(row);
    if (batch.length < BATCH.rows && bytes < BATCH.bytes) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

const sizeOf = (row: SourceRow): number =>
  row.reduce<number>((bytes, value) => {
    if (typeof value === 'string') return bytes + value.length;
    return bytes + (value !== null && typeof value === 'object' ? value.byteLength : 8);
  }, 0);

import { sqlQuery } from './database.js';

/** Every table of ours. */
export async function tables(databaseUrl: string): Promise<string[]> {
  const rows = await sqlQuery<{ name: string }>(
    databaseUrl,
    databaseUrl.startsWith('file:')
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'livekit_%'"
      : "SELECT tablename AS name FROM pg_tables WHERE tablename LIKE 'livekit_%'",
  );
  return rows.map(({ name }) => name);
}

/** How many rows a table has. */
export async function countOf(databaseUrl: string, table: string, condition = 'true'): Promise<number> {
  const [row] = await sqlQuery<{ n: number | string }>(
    databaseUrl,
    `SELECT count(*) AS n FROM ${table} WHERE ${condition}`,
  );
  return Number(row?.n);
}

/** The rows of a table, sorted: equal texts are equal rows, whether in SQLite or in PostgreSQL. */
export async function rowsOf(databaseUrl: string, table: string): Promise<string[]> {
  const rows = await sqlQuery(databaseUrl, `SELECT * FROM ${table}`);
  return rows.map((row) => JSON.stringify(Object.entries(row).sort().map(sameOnEither))).sort();
}

function sameOnEither([column, value]: [string, unknown]): [string, string | null] {
  if (value === null) return [column, null];
  if (typeof value === 'boolean') return [column, String(Number(value))];
  const isBytes = Buffer.isBuffer(value) || value instanceof ArrayBuffer;
  return [column, isBytes ? Buffer.from(value as ArrayBuffer).toString('hex') : String(value)];
}

/** Where a text is in the database: `table.column`. */
export async function whereIs(databaseUrl: string, text: string): Promise<string[]> {
  const places = new Set<string>();
  for (const table of await tables(databaseUrl)) {
    for (const row of await sqlQuery(databaseUrl, `SELECT * FROM ${table}`)) {
      for (const [column, value] of Object.entries(row)) {
        const isBytes = Buffer.isBuffer(value) || value instanceof ArrayBuffer;
        const held = isBytes ? Buffer.from(value as ArrayBuffer) : Buffer.from(String(value));
        if (held.includes(text)) places.add(`${table}.${column}`);
      }
    }
  }
  return [...places].sort();
}

import { statSync } from 'node:fs';
import { sqlQuery } from '../support/database.js';
import { Child } from './child.js';
import type { Bench } from './report.js';
import { type Measure, type Row, rowOf } from './rounds.js';
import { type DatabaseKind, Databases } from './services.js';
import { CALLS } from './sessions/calls.js';
import type { CallsQuestion } from './sizes/calls.js';

/** The space that updates have left is used again after each, as autovacuum has it in a large table. */
const WAVES = 5;

/** What a call leaves in the database: recorded calls of two parties, of a telephone, of a recording, and of a return. */
export const sizes: Bench = {
  name: 'sizes',
  title: 'What a call takes',
  async run({ long }) {
    const each = long ? 1_000 : 100;
    const databases = new Databases();
    const rows: Row[] = [];
    try {
      for (const { kind, url } of await databases.all())
        rows.push(...(await (kind === 'SQLite' ? onSqlite : onPostgres)(kind, url, each)));
      return {
        method: `${WAVES * each * CALLS.length} recorded calls with their sessions and one handler of session.settled, everything kept; KB of 1,000 bytes`,
        rows,
        leftOut: databases.leftOut,
      };
    } finally {
      await databases.drop();
    }
  },
};

async function onSqlite(kind: DatabaseKind, url: string, each: number): Promise<Row[]> {
  const webhooks = await take(url, each, async () => undefined);
  const bytes = statSync(url.slice('file:'.length)).size;
  return [rowOf(kind, `${kind}, all of it`, [perCall(each, { webhooks, bytes })])];
}

async function onPostgres(kind: DatabaseKind, url: string, each: number): Promise<Row[]> {
  await sqlQuery(url, 'VACUUM FULL');
  const before = new Map((await tables(url)).map((table) => [table.name, table.bytes]));
  const logged: Measure[] = [];
  let log = await written(url);
  const webhooks = await take(url, each, async () => {
    const now = await written(url);
    logged.push({ 'KB/call': (now - log) / each / CALLS.length / 1_000 });
    await sqlQuery(url, 'VACUUM ANALYZE');
    log = await written(url);
  });
  const grown = (await tables(url))
    .map(({ name, rows, bytes }) => ({ name, rows, bytes: bytes - (before.get(name) ?? 0) }))
    .filter(({ rows }) => rows >= each);
  const bytes = grown.reduce((sum, table) => sum + table.bytes, 0);
  return [
    rowOf(kind, `${kind}, all of it`, [perCall(each, { webhooks, bytes })]),
    ...grown.map((table) =>
      rowOf(table.name, `${kind}, ${table.name}`, [
        { ...perCall(each, { rows: table.rows, bytes: table.bytes }), 'bytes/row': table.bytes / table.rows },
      ]),
    ),
    rowOf('WAL', `${kind}, write-ahead log, whoever writes it`, logged),
  ];
}

async function take(url: string, each: number, afterWave: () => Promise<void>): Promise<number> {
  const child = await Child.start('sizes/calls.ts', url);
  let webhooks = 0;
  try {
    for (let wave = 0; wave < WAVES; wave += 1) {
      webhooks += await child.ask<number>({ wave, calls: each } satisfies CallsQuestion);
      await afterWave();
    }
  } finally {
    await child.stop();
  }
  return webhooks;
}

function perCall(each: number, { bytes, ...counts }: Measure): Measure {
  const calls = WAVES * each * CALLS.length;
  const counted = Object.entries(counts).map(([what, count]) => [`${what}/call`, count / calls]);
  return { ...Object.fromEntries(counted), 'KB/call': (bytes ?? NaN) / calls / 1_000 };
}

/** With their indexes. */
async function tables(url: string): Promise<{ name: string; rows: number; bytes: number }[]> {
  const some = await sqlQuery<{ name: string; bytes: string }>(
    url,
    `SELECT relname AS name, pg_total_relation_size(oid) AS bytes FROM pg_class
     WHERE relkind = 'r' AND relname ~ '^livekit_' ORDER BY relname`,
  );
  return Promise.all(
    some.map(async ({ name, bytes }) => {
      const [row] = await sqlQuery<{ rows: string }>(url, `SELECT count(*) AS rows FROM ${name}`);
      return { name, rows: Number(row?.rows), bytes: Number(bytes) };
    }),
  );
}

async function written(url: string): Promise<number> {
  const [row] = await sqlQuery<{ bytes: string }>(
    url,
    `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes`,
  );
  return Number(row?.bytes);
}

import { MOVED_IN, MOVED_OUT, MOVING_IN } from '../../src/database/moving/marks.js';
import { type FreshDatabase, freshPostgres, freshSqlite, sqlQuery } from './database.js';
import { describeOnPostgres } from './only-on.js';
import { rowsOf, tables } from './rows.js';

/** Moving needs both databases, so it is tested where PostgreSQL is available. */
export const describeMoving = describeOnPostgres;

const NOT_MOVED = new Set(['livekit_migrations', MOVED_IN, MOVED_OUT, MOVING_IN]);

/** An SQLite store to move, and an empty PostgreSQL database. For use in `describe`. */
export function freshMove() {
  let source: FreshDatabase;
  let target: FreshDatabase;

  beforeEach(async () => {
    [source, target] = [await freshSqlite(), await freshPostgres()];
  });

  afterEach(async () => {
    await sqlQuery(target.url, `DROP TABLE IF EXISTS ${MOVING_IN}, ${MOVED_IN}`);
    await target.drop();
    await source.drop();
  });

  return {
    get from(): string {
      return source.url;
    },
    get to(): string {
      return target.url;
    },
  };
}

/** The rows of every table of ours in a store, except those about the store itself. */
export async function everyRow(databaseUrl: string): Promise<Record<string, string[]>> {
  const names = (await tables(databaseUrl)).filter((name) => !NOT_MOVED.has(name)).sort();
  const rows: Record<string, string[]> = {};
  for (const name of names) rows[name] = await rowsOf(databaseUrl, name);
  return rows;
}

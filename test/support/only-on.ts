import { onPostgres } from './database.js';

/** For what SQLite does not have: several processes, roles, locks, notifications. */
export const testOnPostgres = onPostgres ? test : test.skip;

/** The same for a group of tests. */
export const describeOnPostgres = onPostgres ? describe : describe.skip;

/** For what PostgreSQL does not have: a file, one writer, one process. */
export const testOnSqlite = onPostgres ? test.skip : test;

/** The same for a group of tests. */
export const describeOnSqlite = onPostgres ? describe.skip : describe;

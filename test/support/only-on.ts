import { onPostgres } from './database.js';

/** For what SQLite does not have: several processes, roles, locks, notifications. */
export const testOnPostgres = onPostgres ? test : test.skip;

/** The same for a group of tests. */
export const describeOnPostgres = onPostgres ? describe : describe.skip;

import { sqlStateOf } from './sql-state.js';

/** How often a transaction is begun anew. */
const TRIES = 5;

/** PostgreSQL's codes for a transaction that it has given up for another's sake: a serialisation failure, a deadlock. */
const GIVEN_UP = new Set<unknown>(['40001', '40P01']);

/** Runs a transaction again, at once, that PostgreSQL has given up for another's sake: whoever waits for it is none the wiser. */
export async function despiteConflicts<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await run();
    } catch (error) {
      if (!GIVEN_UP.has(sqlStateOf(error)) || tries === TRIES) throw error;
    }
  }
}

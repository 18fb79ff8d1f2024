import { driverCode } from '../driver-code.js';

/** How many times a transaction is tried. */
const TRIES = 5;

/** PostgreSQL's codes for a transaction that it has aborted for another's sake: a serialisation failure, a deadlock. */
const GIVEN_UP = new Set<unknown>(['40001', '40P01']);

/** Runs a transaction, and again at once if PostgreSQL aborts it for another's sake, unnoticed by the caller. */
export async function despiteConflicts<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await run();
    } catch (error) {
      if (!GIVEN_UP.has(driverCode(error)) || tries === TRIES) throw error;
    }
  }
}

import { abandonable } from './abandonable.js';
import { ToldError } from '../logging/told-error.js';

/** How long metrics and health wait for the store, milliseconds: then they report what is known without it. */
const PATIENCE = 2_000;

/**
 * Reads the store for metrics and health: callers during a read, of the same scrape or another, share its result. So
 * however many call, the store is never read twice at once.
 */
export function sharedRead<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined;
  return () => {
    const current = (reading ??= read().finally(() => (reading = undefined)));
    const error = new ToldError(`the store has not answered within ${PATIENCE / 1000} s`);
    return abandonable(() => current, { limit: { after: PATIENCE, error } });
  };
}

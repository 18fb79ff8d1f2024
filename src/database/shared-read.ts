import { abandonable } from './abandonable.js';
import { ToldError } from '../logging/told-error.js';

/** How long metrics and health wait for the store, milliseconds: what is known without it is told then. */
const PATIENCE = 2_000;

/**
 * Reads the store for metrics and health: whoever asks while it is read, for the same scrape or for another, shares what is
 * read. So however many ask, it is never read twice at once.
 */
export function sharedRead<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined;
  return () => {
    const current = (reading ??= read().finally(() => (reading = undefined)));
    const error = new ToldError(`the store has not answered within ${PATIENCE / 1000} s`);
    return abandonable(() => current, { limit: { after: PATIENCE, error } });
  };
}

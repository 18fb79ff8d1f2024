import { abandonable } from '../database/abandonable.js';

/** How long a scrape waits for the store, milliseconds: what is known without it is told then. */
const PATIENCE = 2_000;

/**
 * Reads the store for metrics: whoever asks while it is read, in the same scrape or in another, shares what is read. So
 * however many scrape, it is never read twice at once.
 */
export function sharedRead<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined;
  return () => {
    const current = (reading ??= read().finally(() => (reading = undefined)));
    const error = new Error(`the store has not answered within ${PATIENCE / 1000} s`);
    return abandonable(() => current, { limit: { after: PATIENCE, error } });
  };
}

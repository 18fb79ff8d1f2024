import type { EventStore } from '../../src/database/event-store.js';

/** Counts what is asked of a store from now on. */
export function countQueries(store: EventStore): () => number {
  let count = 0;
  for (const method of ['read', 'write', 'transaction', 'hostTransaction'] as const) {
    const original = store[method].bind(store) as (...args: unknown[]) => Promise<never>;
    store[method] = (...args: unknown[]) => {
      count++;
      return original(...args);
    };
  }
  return () => count;
}

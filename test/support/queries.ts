import type { EventStore } from '../../src/database/event-store.js';
import type { Claims } from '../../src/event-log/claim/claims.js';

/** Counts the queries of a store from now on. */
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

/** Counts the attempts to claim deliveries from now on, whether or not there are any. */
export function countClaims(claims: Claims): () => number {
  let count = 0;
  const take = claims.take.bind(claims);
  claims.take = (manager, demands) => {
    count += demands.length;
    return take(manager, demands);
  };
  return () => count;
}

import type { EntityManager } from 'typeorm';
import type { Dialect } from './sql.js';

/** Work that one process does at a time. */
const TURNS = { pruning: 3, settling: 4, expiry: 5 } as const;

/** Whether this transaction is the one that does this work now, until its end. SQLite has one process. */
export async function isOurTurn(
  dialect: Dialect,
  manager: EntityManager,
  work: keyof typeof TURNS,
): Promise<boolean> {
  if (dialect === 'sqlite') return true;
  // Our advisory locks on PostgreSQL for such work ("lkwh" in ASCII).
  const [row] = await manager.query<{ taken: boolean }[]>(
    `SELECT pg_try_advisory_xact_lock(1819047784, ${TURNS[work]}) AS taken`,
  );
  return row?.taken ?? false;
}

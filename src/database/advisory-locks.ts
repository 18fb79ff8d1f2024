import type { EntityManager, QueryRunner } from 'typeorm';
import { dialectOf } from './sql.js';

/**
 * Our advisory locks on PostgreSQL, by their numbers: releases that run beside one another must agree on them. SQLite has one
 * process with one writer, which needs none.
 */
const LOCKS = {
  /** Held to bring the schema up to date. */
  migrating: 1,
  /**
   * Held to route, and to claim or hold back deliveries that are ordered by room: two transactions at once could not see
   * what the other is about to commit, and a delivery would overtake another. Also held to lock pending deliveries for
   * anything else: a claim skips locked ones, and those behind them in their room would not wait. And to prune what nobody
   * waits for, so that none of it is replayed or backfilled meanwhile.
   */
  ordering: 2,
  /** Each held by the one process that does such work now. */
  pruning: 3,
  settling: 4,
  expiring: 5,
  /** Shared by every transaction but a migration, which has it alone. */
  serving: 6,
} as const;

/** The same for names, of which there are any number: the number stands for their kind, beside a hash of the name. */
const NAME_LOCKS = {
  /** Two transactions that change facts of one room at once would lose each other's changes ("lkwr" in ASCII). */
  room: 0x6c6b7772,
  /** Expecting a session under a name and giving a session that name wait for each other ("lkwn"). */
  session: 0x6c6b776e,
} as const;

/** What a lock is for. */
export type LockPurpose = keyof typeof LOCKS;

/** The arguments that PostgreSQL's functions know a lock by ("llwh" in ASCII, and its number). */
export const lockKey = (purpose: LockPurpose): string => `${0x6c6c7768}, ${LOCKS[purpose]}`;

/** Waits for a lock, and holds it for the rest of the transaction. */
export async function lock(manager: EntityManager, purpose: LockPurpose): Promise<void> {
  if (dialectOf(manager) === 'postgres')
    await manager.query(`SELECT pg_advisory_xact_lock(${lockKey(purpose)})`);
}

/** Takes a lock for the rest of the transaction, unless another one holds it. @returns whether it is held. */
export async function tryLock(manager: EntityManager | QueryRunner, purpose: LockPurpose): Promise<boolean> {
  if (dialectOf(manager) === 'sqlite') return true;
  const [row] = (await manager.query(`SELECT pg_try_advisory_xact_lock(${lockKey(purpose)}) AS held`)) as [
    { held: boolean },
  ];
  return row.held;
}

/** Waits for the locks on some names, and holds them for the rest of the transaction. */
export async function lockNames(
  manager: EntityManager,
  kind: keyof typeof NAME_LOCKS,
  names: readonly string[],
): Promise<void> {
  if (dialectOf(manager) === 'sqlite') return;
  // Always in the same order, or two transactions could deadlock.
  await manager.query(
    `SELECT pg_advisory_xact_lock($1, hash)
     FROM (SELECT DISTINCT hashtext(name) AS hash FROM unnest($2::text[]) AS name ORDER BY 1) AS names`,
    [NAME_LOCKS[kind], names],
  );
}

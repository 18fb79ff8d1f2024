import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';

/** Our advisory lock on PostgreSQL for the order of deliveries ("lkwh" in ASCII, and 2). */
const ORDERING_LOCK = '1819047784, 2';

/**
 * Held to route, and to claim or hold back deliveries that are ordered by room: two transactions at once could not see
 * what the other is about to commit, and a delivery would overtake another. Also held to lock pending deliveries for
 * anything else: a claim skips locked ones, and those behind them in their room would not wait. And to prune what nobody
 * waits for, so that none of it is replayed or backfilled meanwhile. SQLite has one writer.
 */
@Injectable()
export class OrderingLock {
  constructor(private readonly store: EventStore) {}

  /** Waits for the lock, and holds it for the rest of the transaction. */
  async hold(manager: EntityManager): Promise<void> {
    if (this.store.dialect === 'postgres')
      await manager.query(`SELECT pg_advisory_xact_lock(${ORDERING_LOCK})`);
  }

  /** Takes the lock for the rest of the transaction, unless another one holds it. @returns whether it is held. */
  async tryHold(manager: EntityManager): Promise<boolean> {
    if (this.store.dialect === 'sqlite') return true;
    const [row] = await manager.query<{ taken: boolean }[]>(
      `SELECT pg_try_advisory_xact_lock(${ORDERING_LOCK}) AS taken`,
    );
    return row?.taken ?? false;
  }
}

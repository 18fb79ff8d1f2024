import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';

/** PostgreSQL's advisory lock of ours for the order of deliveries ("lkwh" in ASCII, and 2). */
const ORDERING_LOCK = '1819047784, 2';

/**
 * Held by whoever routes, and by whoever claims or holds back deliveries that are ordered by room: two of them at once
 * could not see what the other is about to commit, and a delivery would overtake another. And by whoever else locks deliveries
 * that are pending: a claim passes over them, and those behind them in their room would not wait. And by whoever prunes what
 * nobody waits for, that none is replayed or backfilled meanwhile. SQLite has one writer.
 */
@Injectable()
export class OrderingLock {
  constructor(private readonly store: EventStore) {}

  /** Takes the lock for the rest of the transaction, and waits for it. */
  async hold(manager: EntityManager): Promise<void> {
    if (this.store.dialect === 'postgres')
      await manager.query(`SELECT pg_advisory_xact_lock(${ORDERING_LOCK})`);
  }

  /** Takes the lock for the rest of the transaction, unless somebody else has it. @returns whether it is held. */
  async tryHold(manager: EntityManager): Promise<boolean> {
    if (this.store.dialect === 'sqlite') return true;
    const [row] = await manager.query<{ taken: boolean }[]>(
      `SELECT pg_try_advisory_xact_lock(${ORDERING_LOCK}) AS taken`,
    );
    return row?.taken ?? false;
  }
}

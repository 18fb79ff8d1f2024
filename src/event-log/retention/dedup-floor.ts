import { Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { SqlParameters } from '../../database/sql.js';
import type { EventHeader } from '../events.js';

/** What a floor is computed from. */
export type FlooredEvent = Pick<EventHeader, 'source' | 'kind' | 'occurredAt'>;

/** How long to wait for transactions that may not see a floor, milliseconds: an append is given up long before. */
const PATIENCE = 10_000;

/** The floor that pruning these events requires for each source; only webhooks are repeated. */
export function floorsOf(events: readonly FlooredEvent[]): Map<string, number> {
  const floors = new Map<string, number>();
  for (const { source, kind, occurredAt } of events) {
    if (kind === 'livekit') floors.set(source, Math.max(occurredAt, floors.get(source) ?? occurredAt));
  }
  return floors;
}

/**
 * At or below the floor of its source, an event that is not stored may be a repeat of one that was pruned: it is not
 * appended. A source has no floor before its first event is pruned.
 */
@Injectable()
export class DedupFloor {
  constructor(private readonly store: EventStore) {}

  /** Raises the floors for events that are about to be pruned; they may go only after `isSeenByAll`. */
  async raise(manager: EntityManager, events: readonly FlooredEvent[]): Promise<void> {
    const floors = floorsOf(events);
    if (floors.size === 0) return;
    const p = new SqlParameters(this.store.dialect);
    await manager.query(
      `INSERT INTO livekit_floors (source, occurred_at) ${p.rows(['text', 'bigint'], [...floors])}
       ON CONFLICT (source) DO UPDATE SET occurred_at = excluded.occurred_at
       WHERE livekit_floors.occurred_at < excluded.occurred_at`,
      p.values,
    );
  }

  /**
   * Waits until no append is left that began before the floors were committed: on PostgreSQL one that was held up could
   * find a row gone and not see the floor that it left behind.
   *
   * @returns whether none is left; otherwise nothing may be pruned now.
   */
  async isSeenByAll(): Promise<boolean> {
    if (this.store.dialect === 'sqlite') return true; // one writer: it began after our commit
    const deadline = performance.now() + PATIENCE;
    let early = await this.writers();
    while (early.size > 0) {
      if (performance.now() > deadline) return false;
      await delay(5);
      const writers = await this.writers();
      early = new Set([...early].filter((id) => writers.has(id)));
    }
    return true;
  }

  // An insert holds this lock from before it reads anything until its transaction ends.
  private async writers(): Promise<Set<string>> {
    const rows = await this.store.read((manager) =>
      manager.query<{ id: string }[]>(
        `SELECT DISTINCT virtualtransaction AS id FROM pg_locks
         WHERE relation = 'livekit_events'::regclass AND mode = 'RowExclusiveLock' AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      ),
    );
    return new Set(rows.map(({ id }) => id));
  }
}

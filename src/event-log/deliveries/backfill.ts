import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { StoreClock } from '../clock.js';
import { EVENT_COLUMNS, eventHeader, type EventRow } from '../events.js';
import { type BackfilledHandler, RoutedHandlers } from '../handlers/routed-handlers.js';
import { Router } from '../router.js';

/** Events looked at in one step. */
const STEP = 500;

/** A handler with more than so many due deliveries is given nothing old: what is new stands behind them. */
const ENOUGH = 1_000;

/** What a step of backfilling did. */
export interface Backfilled {
  /** The handler that it was taken for; `null`: for none. */
  handler: string | null;
  /** No handler waits for more, not even for one that has enough to do for now. */
  isOver: boolean;
}

interface StoredRow extends EventRow {
  routed: boolean | number;
  has_body: boolean | number;
}

/** Gives handlers what was stored before they came, step by step, from where each has got to. */
@Injectable()
export class Backfill {
  private readonly handlers = new RoutedHandlers();

  constructor(
    private readonly clock: StoreClock,
    private readonly router: Router,
  ) {}

  /**
   * Takes a step for one handler that waits for one, in the caller's transaction, which holds the ordering lock.
   */
  async step(manager: EntityManager): Promise<Backfilled> {
    const busy = this.clock.parameters();
    const handler = await this.handlers.nextToBackfill(manager, busy, this.clock.now(busy), ENOUGH);
    if (handler === null) return { handler: null, isOver: true };
    if (handler.isBusy) return { handler: null, isOver: false };
    const from = Math.max(handler.from, await this.firstSince(manager, handler));
    const p = this.clock.parameters();
    // Whether they are routed is not asked there: PostgreSQL would go through an index of all that are.
    const rows = await manager.query<StoredRow[]>(
      `SELECT ${EVENT_COLUMNS}, e.routed, EXISTS (SELECT 1 FROM livekit_bodies b WHERE b.event_seq = e.seq) AS has_body
       FROM livekit_events e
       WHERE e.seq > ${p.add(from)} AND e.seq <= ${p.add(handler.to)} ORDER BY e.seq LIMIT ${STEP}`,
      p.values,
    );
    await this.router.deliver(
      manager,
      handler,
      rows
        .filter(({ routed, has_body }) => routed && has_body)
        .map(eventHeader)
        .filter((event) => event.receivedAt >= handler.since && handler.hears(event)),
    );
    const isDone = rows.length < STEP;
    await this.handlers.backfilled(
      manager,
      this.clock.parameters(),
      handler.name,
      isDone ? null : Number(rows.at(-1)?.seq),
    );
    return { handler: handler.name, isOver: false };
  }

  // Received in about the order of the log: some are looked at beyond the first, for those that overtook it.
  private async firstSince(manager: EntityManager, { since, from }: BackfilledHandler): Promise<number> {
    if (since === 0 || from > 0) return from;
    const p = this.clock.parameters();
    const [row] = await manager.query<{ first: number | string | null }[]>(
      `SELECT min(seq) AS first FROM
         (SELECT seq FROM livekit_events WHERE routed AND received_at >= ${p.add(since)} ORDER BY received_at LIMIT 1000) AS early`,
      p.values,
    );
    return row?.first == null ? Number.MAX_SAFE_INTEGER : Number(row.first) - 1;
  }
}

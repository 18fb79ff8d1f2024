import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { startSpan } from '../../tracing/spans.js';
import { contextOf } from '../../tracing/trace-context.js';
import { StoreClock } from '../clock.js';
import { fanOut, type FannedOut, NOTHING } from './fan-out.js';

/**
 * How many events are routed in one transaction: about 500, and fewer the more handlers there are. Webhooks, which wait
 * behind it on SQLite, hardly notice, and on PostgreSQL a statement may take only seconds.
 */
const BATCH = '(SELECT 1 + 20000 / (40 + count(*)) FROM livekit_handlers WHERE retired_at IS NULL)';

/** The SQL of the first unrouted event. Without an order, PostgreSQL might search for one from the log's beginning. */
export const FIRST_UNROUTED = 'livekit_events WHERE NOT routed ORDER BY seq LIMIT 1';

/**
 * Fans events out: one delivery for each handler subscribed to an event. It finds events by their `routed` mark rather
 * than the last `seq`, because with several writers, lower ones may be committed later.
 */
@Injectable()
export class Router {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
  ) {}

  /** Routes a batch of unrouted events, in the caller's transaction, which holds the ordering lock. */
  async route(manager: EntityManager): Promise<FannedOut> {
    // As often as not, another process has routed them already.
    const unrouted = await manager.query<unknown[]>(`SELECT seq FROM ${FIRST_UNROUTED}`);
    if (unrouted.length === 0) return NOTHING;
    const routed = await fanOut(manager, {
      events: 'NOT e.routed',
      limit: BATCH,
      handlers: 'h.retired_at IS NULL',
      given: `NOT ${IS_LEFT}`,
      now: this.clock.now(),
      beside: [LEAVE, MARK],
    });
    this.store.afterCommit(manager, () => routed.traceparents.forEach(traceRoute));
    return routed;
  }
}

// In a room, no new event may come before an old one: it is left to the handler's backfill, which is extended to it.
const IS_LEFT =
  '(h.ordered AND h.backfill_seq IS NOT NULL AND e.seq > h.backfill_seq AND e.received_at >= h.backfill_since)';
const LAST = '(SELECT max(seq) FROM batch)';
const LEAVE = `UPDATE livekit_handlers SET backfill_to = ${LAST}
  WHERE retired_at IS NULL AND ordered AND backfill_seq IS NOT NULL AND backfill_to < ${LAST}`;

const MARK = 'UPDATE livekit_events SET routed = true WHERE seq IN (SELECT seq FROM batch)';

/** Marks in an event's trace when it was routed. */
const traceRoute = (traceparent: string): void =>
  startSpan('route livekit_events', { parent: contextOf(traceparent) }).end();

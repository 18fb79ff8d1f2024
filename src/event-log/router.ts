import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../database/event-store.js';
import { startSpan } from '../tracing/spans.js';
import { contextOf } from '../tracing/trace-context.js';
import { StoreClock } from './clock.js';
import { fanOut, type FannedOut } from './fan-out.js';

/** Events routed in one transaction: few enough that webhooks, which wait behind it on SQLite, hardly notice. */
export const BATCH = 512;

/**
 * Fans events out: one delivery for each handler that hears of them. It finds them by their `routed` mark and not by
 * remembering the last `seq`: with several writers, smaller ones may be committed later.
 */
@Injectable()
export class Router {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
  ) {}

  /** Routes a batch of what has not been routed, in the caller's transaction, which holds the ordering lock. */
  async route(manager: EntityManager): Promise<FannedOut> {
    const routed = await fanOut(manager, {
      events: `NOT e.routed ORDER BY e.seq LIMIT ${BATCH}`,
      handlers: 'h.retired_at IS NULL',
      given: `NOT ${IS_LEFT}`,
      now: this.clock.now(),
      beside: [LEAVE, MARK],
    });
    this.store.afterCommit(manager, () => routed.traceparents.forEach(traceRoute));
    return routed;
  }
}

// Of a room, nothing new may come before what is old: it is left to the handler's backfill, which goes on until then.
const IS_LEFT = `(h.ordered AND h.backfill_seq IS NOT NULL AND e.seq > h.backfill_seq AND e.received_at >= h.backfill_since)`;
const LAST = '(SELECT max(seq) FROM batch)';
const LEAVE = `UPDATE livekit_handlers SET backfill_to = ${LAST}
  WHERE retired_at IS NULL AND ordered AND backfill_seq IS NOT NULL AND backfill_to < ${LAST}`;

const MARK = 'UPDATE livekit_events SET routed = true WHERE seq IN (SELECT seq FROM batch)';

/** Shows in an event's trace when it was given to its handlers. */
const traceRoute = (traceparent: string): void =>
  startSpan('route livekit_events', { parent: contextOf(traceparent) }).end();

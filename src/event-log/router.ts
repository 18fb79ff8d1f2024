import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../database/event-store.js';
import { StoreClock } from './clock.js';
import { ROUTED_COLUMNS, type RoutedEvent, routedEvent, type RoutedRow } from './events.js';
import { type RoutedHandler, RoutedHandlers } from './handlers/routed-handlers.js';
import { startSpan } from '../tracing/spans.js';
import { contextOf, isSampled } from '../tracing/trace-context.js';
import { BLOCKED } from './running/blocked.js';

/** Events routed in one transaction: few enough that webhooks, which wait behind it on SQLite, hardly notice. */
export const BATCH = 512;

/** What a step of the router did. */
export interface Routed {
  /** How many events it took. */
  events: number;
  /** Which handlers have something to do now. */
  handlers: ReadonlySet<string>;
}

/**
 * Fans events out: one delivery for each handler that hears of them. It finds them by their `routed` mark and not by
 * remembering the last `seq`: with several writers, smaller ones may be committed later.
 */
@Injectable()
export class Router {
  private readonly handlers = new RoutedHandlers();

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
  ) {}

  /** Routes a batch of what has not been routed, in the caller's transaction, which holds the ordering lock. */
  async route(manager: EntityManager): Promise<Routed> {
    const rows = await manager.query<RoutedRow[]>(
      `SELECT ${ROUTED_COLUMNS} FROM livekit_events e WHERE NOT e.routed ORDER BY e.seq LIMIT ${BATCH}`,
    );
    if (rows.length === 0) return { events: 0, handlers: new Set() };
    const events = rows.map(routedEvent);
    // Read after the events: whoever was entered before one of these was appended is seen now.
    const handlers = await this.handlers.read(manager);
    const busy = new Set<string>();
    for (const handler of handlers) {
      const heard = events.filter((event) => handler.hears(event));
      const left = heard.filter((event) => handler.isLeft(event));
      const given = heard.filter((event) => !handler.isLeft(event));
      await this.deliver(manager, handler, given);
      if (given.length > 0) busy.add(handler.name);
      await this.handlers.extend(manager, this.clock.parameters(), handler.name, left.at(-1)?.seq);
    }
    const p = this.clock.parameters();
    await manager.query(
      `UPDATE livekit_events SET routed = true WHERE ${p.isOneOf(
        'seq',
        events.map(({ seq }) => seq),
      )}`,
      p.values,
    );
    this.store.afterCommit(manager, () => events.forEach(traceRoute));
    return { events: events.length, handlers: busy };
  }

  /** Makes deliveries, due now, or when the last one that waits for the same room is. */
  async deliver(
    manager: EntityManager,
    handler: RoutedHandler,
    events: readonly RoutedEvent[],
  ): Promise<void> {
    if (events.length === 0) return;
    const p = this.clock.parameters();
    const told = p.rows(
      ['bigint', 'text'],
      events.map((event) => [event.seq, handler.ordered ? roomKey(event) : null]),
    );
    const now = this.clock.now(p);
    await manager.query(
      `WITH told (seq, room) AS MATERIALIZED (${told})
       INSERT INTO livekit_deliveries (event_seq, handler, order_key, due_at)
       SELECT seq, '${handler.name}', room, ${handler.ordered ? dueInRoom(handler, now) : now} FROM told WHERE true
       ON CONFLICT (event_seq, handler, replay_no) DO NOTHING`,
      p.values,
    );
  }
}

/** Shows in an event's trace when it was given to its handlers. */
function traceRoute({ traceparent }: RoutedEvent): void {
  if (isSampled(traceparent)) startSpan('route livekit_events', { parent: contextOf(traceparent) }).end();
}

/** Where an event has its place in the order of its room; `null`: it is of no room, and has none. */
export const roomKey = ({
  source,
  roomSid,
  roomName,
}: Pick<RoutedEvent, 'source' | 'roomSid' | 'roomName'>): string | null =>
  roomSid === null && roomName === null ? null : `${source}/${roomSid ?? roomName}`;

// Within a room nobody is due before those in front of them: so the first that are due are also the next in order.
const dueInRoom = ({ name, blocking }: RoutedHandler, now: string): string => {
  const same = `handler = '${name}' AND order_key = told.room`;
  const last = `(SELECT max(due_at) FROM livekit_deliveries WHERE ${same} AND state = 'pending')`;
  if (!blocking) return `coalesce(${last}, ${now})`;
  const dead = `EXISTS (SELECT 1 FROM livekit_deliveries WHERE ${same} AND state = 'dead')`;
  return `CASE WHEN ${dead} THEN ${BLOCKED} ELSE coalesce(${last}, ${now}) END`;
};

import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { bytes, rowsOf, skipLocked, type SqlParameters } from '../../database/sql.js';
import { StoreClock } from '../clock.js';
import { EVENT_COLUMNS, eventHeader, type EventRow, type LoggedEvent } from '../events.js';
import type { Handler } from '../handlers/handler.js';

/** A delivery that this process has taken to run. */
export interface ClaimedDelivery {
  id: number;
  handler: Handler;
  /** `null`: its bytes have been pruned or erased, and no handler can be given it any more. */
  event: LoggedEvent | null;
  eventSeq: number;
  orderKey: string | null;
  /** From 1. */
  attempt: number;
  replay: number;
  /** The span of the previous attempt; `null`: there was none, or it was not traced. */
  traceparent: string | null;
  /**
   * The fencing token, new with every claim: a process that was held up beyond its lease comes back with an old one, and
   * can settle nothing.
   */
  token: string;
}

/** How many deliveries of a handler to take. */
export interface Demand {
  handler: Handler;
  limit: number;
  /** Only these; for an ordered handler, also those of their rooms. */
  among?: readonly number[];
}

interface ClaimedRow {
  id: number | string;
  event_seq: number | string;
  order_key: string | null;
  attempt: number;
  replay_no: number;
  due_at: number | string;
  traceparent: string | null;
}

/** Claims deliveries that are due, for as long as a lease lasts: no other process has them meanwhile. */
@Injectable()
export class Claims {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
  ) {}

  /** Claims due deliveries, in the caller's transaction, which holds the ordering lock if a demand is ordered. */
  async take(manager: EntityManager, demands: readonly Demand[]): Promise<ClaimedDelivery[]> {
    const token = randomUUID();
    const claimed: ClaimedDelivery[] = [];
    for (const demand of demands) claimed.push(...(await this.takeFor(manager, demand, token)));
    return withEvents(manager, claimed, this.clock);
  }

  /**
   * Renews the leases of deliveries that are still running.
   *
   * @returns the ids of those whose lease was renewed (`renewed`), and of those that our token still holds (`ours`): one
   *   that another transaction has locked is ours and not renewed.
   */
  async renew(
    manager: EntityManager,
    deliveries: readonly ClaimedDelivery[],
    lease: number,
  ): Promise<{ renewed: Set<number>; ours: Set<number> }> {
    const renewed = new Set<number>();
    const ours = new Set<number>();
    for (const [token, some] of byToken(deliveries)) {
      const held = (p: SqlParameters) =>
        `SELECT id FROM livekit_deliveries
         WHERE state = 'running' AND lease_token = ${p.add(token)} AND ${p.isOneOf(
           'id',
           some.map(({ id }) => id),
         )}`;
      const p = this.clock.parameters();
      // A locked one is being settled, or given to another process: to wait for it here, with others locked already,
      // could end in a deadlock.
      const rows = rowsOf<{ id: number | string }>(
        await manager.query(
          `WITH held AS MATERIALIZED (${held(p)} ${skipLocked(this.store.dialect)})
           UPDATE livekit_deliveries SET lease_until = ${this.clock.now(p)} + ${lease}
           WHERE id IN (SELECT id FROM held) RETURNING id`,
          p.values,
        ),
      );
      for (const { id } of rows) renewed.add(Number(id));
      const q = this.clock.parameters();
      for (const { id } of await manager.query<{ id: number | string }[]>(held(q), q.values))
        ours.add(Number(id));
    }
    return { renewed, ours };
  }

  private async takeFor(
    manager: EntityManager,
    { handler, limit, among }: Demand,
    token: string,
  ): Promise<ClaimedDelivery[]> {
    const p = this.clock.parameters();
    const may = isClaimable(handler, p.add(handler.name), this.clock.now(p));
    const isAmong = among === undefined ? '' : `AND ${amongSql(p, among, handler.ordered)}`;
    const rows = rowsOf<ClaimedRow>(
      await manager.query(
        `WITH due AS MATERIALIZED (
           SELECT d.id FROM livekit_deliveries d WHERE ${may} ${isAmong}
           ORDER BY d.due_at, d.event_seq LIMIT ${p.add(limit)} ${skipLocked(this.store.dialect)}
         )
         UPDATE livekit_deliveries SET state = 'running', attempt = attempt + 1, lease_token = ${p.add(token)},
           lease_until = ${this.clock.now(p)} + ${handler.lease}, carried_until = NULL
         WHERE id IN (SELECT id FROM due)
         RETURNING id, event_seq, order_key, attempt, replay_no, due_at, traceparent`,
        p.values,
      ),
    );
    return rows
      .sort((a, b) => Number(a.due_at) - Number(b.due_at) || Number(a.event_seq) - Number(b.event_seq))
      .map((row) => ({
        id: Number(row.id),
        handler,
        event: null,
        eventSeq: Number(row.event_seq),
        orderKey: row.order_key,
        attempt: row.attempt,
        replay: row.replay_no,
        traceparent: row.traceparent,
        token,
      }));
  }
}

/**
 * The SQL condition that a delivery `d` of a handler may be claimed now. They are taken in order of due time: within a room
 * no delivery is due before those ahead of it, and while one of a room runs anywhere, the others wait.
 *
 * @param name of the handler, and `now`: both SQL.
 */
export const isClaimable = ({ ordered }: Pick<Handler, 'ordered'>, name: string, now: string): string =>
  `d.handler = ${name} AND d.state = 'pending' AND d.due_at <= ${now} ${ordered ? `AND ${isRoomFree(name)}` : ''}
     AND NOT EXISTS (SELECT 1 FROM livekit_handlers h WHERE h.name = ${name} AND h.paused)`;

// It lists the rooms that run: PostgreSQL would turn a condition on each delivery into a join, and sort all due deliveries
// for the sake of the first few.
const isRoomFree = (handler: string): string =>
  `(d.order_key IS NULL OR d.order_key NOT IN (
     SELECT r.order_key FROM livekit_deliveries r
     WHERE r.handler = ${handler} AND r.order_key IS NOT NULL AND r.state = 'running'))`;

const amongSql = (p: SqlParameters, ids: readonly number[], ordered: boolean): string =>
  ordered
    ? `(${p.isOneOf('d.id', ids)} OR d.order_key IN (SELECT order_key FROM livekit_deliveries WHERE ${p.isOneOf('id', ids)}))`
    : p.isOneOf('d.id', ids);

/** Groups deliveries by the claim that took them. */
export function byToken(deliveries: readonly ClaimedDelivery[]): Map<string, ClaimedDelivery[]> {
  const groups = new Map<string, ClaimedDelivery[]>();
  for (const delivery of deliveries) {
    const group = groups.get(delivery.token);
    if (group === undefined) groups.set(delivery.token, [delivery]);
    else group.push(delivery);
  }
  return groups;
}

async function withEvents(
  manager: EntityManager,
  claimed: readonly ClaimedDelivery[],
  clock: StoreClock,
): Promise<ClaimedDelivery[]> {
  if (claimed.length === 0) return [];
  const p = clock.parameters();
  const rows = await manager.query<(EventRow & { raw: Buffer | ArrayBuffer })[]>(
    `SELECT ${EVENT_COLUMNS}, b.raw FROM livekit_events e JOIN livekit_bodies b ON b.event_seq = e.seq
     WHERE ${p.isOneOf('e.seq', [...new Set(claimed.map(({ eventSeq }) => eventSeq))])}`,
    p.values,
  );
  const events = new Map(
    rows.map((row) => [Number(row.seq), Object.assign(eventHeader(row), { body: bytes(row.raw) })]),
  );
  return claimed.map((delivery) => Object.assign(delivery, { event: events.get(delivery.eventSeq) ?? null }));
}

import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { StoreClock } from '../clock.js';
import { fanOut } from './fan-out.js';

/** Events examined in one step. */
const STEP = 500;

/** A handler with more due deliveries than this is given no old events: new ones would wait behind them. */
const ENOUGH = 1_000;

/** The result of one step of backfilling. */
export interface Backfilled {
  /** The handler that the step was for; `null`: none. */
  handler: string | null;
  /** No handler waits for more, not even one that has enough to do for now. */
  isOver: boolean;
}

/** A handler with a backfill in progress. */
interface BackfilledHandler {
  name: string;
  /** The position in the log up to which it has been backfilled. */
  from: number;
  /** Only events received since this time are given, UTC milliseconds. */
  since: number;
  /** It has more than `ENOUGH` due deliveries. */
  isBusy: boolean;
}

interface BackfillRow {
  name: string;
  backfill_seq: number | string;
  backfill_since: number | string;
  busy: boolean | number;
}

const HAS_BODY = 'EXISTS (SELECT 1 FROM livekit_bodies b WHERE b.event_seq = e.seq)';

/** Gives handlers events that were stored before they came, step by step, each from where it has got to. */
@Injectable()
export class Backfill {
  constructor(private readonly clock: StoreClock) {}

  /**
   * Takes a step for one handler that waits for one, in the caller's transaction, which holds the ordering lock.
   */
  async step(manager: EntityManager): Promise<Backfilled> {
    const handler = await this.next(manager);
    if (handler === null) return { handler: null, isOver: true };
    if (handler.isBusy) return { handler: null, isOver: false };
    const from = Math.max(handler.from, await this.firstSince(manager, handler));
    if (from > handler.from) await this.remember(manager, handler, from);
    const isIt = `name = '${handler.name}'`;
    const { isFull, last } = await fanOut(manager, {
      // The text is the same at every step, or SQLite would prepare it anew. It does not test `routed`: PostgreSQL would
      // scan an index of all routed events.
      events: `e.seq > (SELECT backfill_seq FROM livekit_handlers WHERE ${isIt})
        AND e.seq <= (SELECT backfill_to FROM livekit_handlers WHERE ${isIt})`,
      limit: String(STEP),
      handlers: `h.${isIt}`,
      given: `e.routed AND e.received_at >= ${handler.since} AND ${HAS_BODY}`,
      now: this.clock.now(),
    });
    await this.remember(manager, handler, isFull ? last : null);
    return { handler: handler.name, isOver: false };
  }

  /** A handler that waits for a backfill, preferably one that is not busy. */
  private async next(manager: EntityManager): Promise<BackfilledHandler | null> {
    const p = this.clock.parameters();
    const isBusy = `EXISTS (SELECT 1 FROM livekit_deliveries d
      WHERE d.handler = h.name AND d.state = 'pending' AND d.due_at <= ${this.clock.now(p)} LIMIT 1 OFFSET ${ENOUGH})`;
    const [row] = await manager.query<BackfillRow[]>(
      `SELECT name, backfill_seq, backfill_since, ${isBusy} AS busy
       FROM livekit_handlers h WHERE retired_at IS NULL AND backfill_seq IS NOT NULL ORDER BY busy, name LIMIT 1`,
      p.values,
    );
    if (row === undefined) return null;
    return {
      name: row.name,
      from: Number(row.backfill_seq),
      since: Number(row.backfill_since),
      isBusy: Boolean(row.busy),
    };
  }

  // Events are received only roughly in log order: one received after the first may have a lower seq.
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

  /** Stores how far the backfill has got; `null`: to its end. */
  private async remember(
    manager: EntityManager,
    { name }: BackfilledHandler,
    seq: number | null,
  ): Promise<void> {
    const p = this.clock.parameters();
    const progress =
      seq === null
        ? 'backfill_seq = NULL, backfill_to = NULL, backfill_since = NULL'
        : `backfill_seq = ${p.add(seq)}`;
    await manager.query(`UPDATE livekit_handlers SET ${progress} WHERE name = ${p.add(name)}`, p.values);
  }
}

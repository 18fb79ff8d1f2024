import { Injectable } from '@nestjs/common';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { lock } from '../../database/advisory-locks.js';
import { EventStore } from '../../database/event-store.js';
import { plainText } from '../../database/plain-text.js';
import { rowsOf, type SqlParameters } from '../../database/sql.js';
import { StoreClock } from '../clock.js';
import { DeliveryRunner } from '../loop/delivery-runner.js';
import { Notifications } from '../notifications.js';
import { Timetable } from '../timetable.js';
import type {
  BackfillStart,
  Delivery,
  DeliveryFilter,
  DeliveryPage,
  DeliveryQuery,
  FailedAttempt,
  HandlerLag,
} from './delivery.js';
import {
  attemptOf,
  type AttemptRow,
  conditionOf,
  deliveryOf,
  type DeliveryRow,
  SELECT_DELIVERIES,
} from './delivery-rows.js';
import { checkedFilter, checkedStart, limitOf, positionOf } from './delivery-requests.js';
import { endedAmong, type EndedDelivery, endedOne } from './ended-deliveries.js';
import { DeliveryNotFoundError, DeliveryStateError } from './errors.js';
import { lagOfHandlers } from './handler-lag.js';
import { Replays } from './replay.js';

/** Deliveries replayed or dismissed in one transaction. */
const BATCH = 200;

/**
 * Deliveries that one statement searches, however few of them match the filter: SQLite runs in this process, and
 * webhooks wait meanwhile; PostgreSQL may scan all events for each statement when the filter names a room.
 */
const SPAN = { sqlite: 20_000, postgres: 1_000_000 };

/** The deliveries of events to handlers, and what an operator can do with them: replay, dismiss, backfill, pause. */
@Injectable()
export class Deliveries {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly replays: Replays,
    private readonly runner: DeliveryRunner,
    private readonly notifications: Notifications,
    private readonly timetable: Timetable,
  ) {}

  /** Lists deliveries, newest first. @throws DeliveryRequestError when the query is invalid. */
  async list(query: DeliveryQuery = {}): Promise<DeliveryPage> {
    const limit = limitOf(query);
    const filter = checkedFilter(query);
    const position = query.cursor == null ? Infinity : positionOf(query.cursor);
    const span = SPAN[this.store.dialect];
    const { first, last } = await this.ids();
    const rows: DeliveryRow[] = [];
    for (let end = Math.min(position, last + 1); end > first && rows.length <= limit; end -= span) {
      const p = this.clock.parameters();
      const within = `d.id < ${p.add(end)} AND d.id >= ${p.add(end - span)}`;
      const some = await this.store.read((manager) =>
        manager.query<DeliveryRow[]>(
          `${SELECT_DELIVERIES} WHERE ${conditionOf(filter, p)} AND ${within} ORDER BY d.id DESC LIMIT ${limit + 1 - rows.length}`,
          p.values,
        ),
      );
      rows.push(...some);
      await nextTurn();
    }
    const deliveries = rows.slice(0, limit).map(deliveryOf);
    return {
      deliveries,
      nextCursor: rows.length > limit ? String(deliveries.at(-1)?.id) : null,
    };
  }

  /** Finds a delivery, with its failed attempts; `null` when there is none of this id. */
  async get(id: number): Promise<(Delivery & { attempts: FailedAttempt[] }) | null> {
    if (!Number.isSafeInteger(id)) return null; // PostgreSQL would refuse it
    return this.store.read(async (manager) => {
      const p = this.clock.parameters();
      const [row] = await manager.query<DeliveryRow[]>(
        `${SELECT_DELIVERIES} WHERE d.id = ${p.add(id)}`,
        p.values,
      );
      if (row === undefined) return null;
      const attempts = this.clock.parameters();
      const failed = await manager.query<AttemptRow[]>(
        `SELECT attempt, failed_at, error FROM livekit_attempts WHERE delivery_id = ${attempts.add(id)} ORDER BY attempt`,
        attempts.values,
      );
      return { ...deliveryOf(row), attempts: failed.map(attemptOf) };
    });
  }

  /**
   * Runs a delivery's event again with the same handler, as a new delivery whose `replay` is one more.
   *
   * @returns the new delivery's id.
   * @throws DeliveryNotFoundError when there is none of this id.
   * @throws DeliveryStateError when it has not ended, or its event's bytes have been pruned or erased.
   */
  async replay(id: number): Promise<number> {
    const replayed = await this.changing(async (manager) => {
      const ended = await endedOne(manager, this.clock, id);
      return this.replays.replay(manager, ended);
    });
    this.tell();
    return replayed;
  }

  /**
   * Replays every ended delivery that matches a filter (dead ones by default), in small transactions; skips those that
   * have been replayed since, and those whose event's bytes are gone.
   *
   * @returns how many.
   * @throws DeliveryRequestError when the filter is invalid.
   */
  replayAll(filter: DeliveryFilter = {}): Promise<number> {
    return this.forAll({ ...filter, state: filter.state ?? 'dead' }, (manager, ended) =>
      this.replays.replay(manager, ended),
    );
  }

  /**
   * Dismisses a dead letter, which then no longer blocks its room.
   *
   * @throws DeliveryNotFoundError when there is none of this id.
   * @throws DeliveryStateError when it is not a dead letter.
   */
  async dismiss(id: number): Promise<void> {
    await this.changing(async (manager) => {
      const ended = await endedOne(manager, this.clock, id, { needsBody: false });
      if (ended.state !== 'dead')
        throw new DeliveryStateError(`delivery ${id} is ${ended.state}: only a dead one can be dismissed`);
      await this.replays.letRest(manager, ended, 'dismissed');
    });
    this.tell();
  }

  /** Dismisses every dead letter that matches a filter, in small transactions. @returns how many. */
  dismissAll(filter: Omit<DeliveryFilter, 'state'> = {}): Promise<number> {
    return this.forAll(
      { ...filter, state: 'dead' },
      (manager, ended) => this.replays.letRest(manager, ended, 'dismissed'),
      { toReplay: false },
    );
  }

  /**
   * Gives a handler, step by step, every stored event that it handles and has not been given. It replaces a backfill that
   * goes on.
   *
   * @throws DeliveryNotFoundError when no process has ever had such a handler.
   * @throws DeliveryRequestError when the start is invalid.
   * @throws DeliveryStateError when it is ordered and is being backfilled from an earlier start: new events wait for that.
   */
  async backfill(handler: string, start: BackfillStart = {}): Promise<void> {
    const { since, fromSeq = 0 } = checkedStart(start);
    const [seq, time] = [Math.max(0, fromSeq - 1), since?.getTime() ?? 0];
    await this.updateHandler(
      handler,
      (p) => `backfill_seq = ${p.add(seq)}, backfill_since = ${p.add(time)},
        backfill_to = (SELECT coalesce(max(seq), 0) FROM livekit_events)`,
      async (manager) => {
        const p = this.clock.parameters();
        const earlier = await manager.query<unknown[]>(
          `SELECT 1 FROM livekit_handlers WHERE name = ${p.add(plainText(handler))} AND ordered AND backfill_seq IS NOT NULL
             AND (backfill_seq < ${p.add(seq)} OR backfill_since < ${p.add(time)})`,
          p.values,
        );
        if (earlier.length > 0)
          throw new DeliveryStateError(
            `\`${handler}\` is being backfilled from an earlier start, and what is new of its rooms waits for that: wait until \`backfilling\` is 0, or start no later`,
          );
      },
    );
  }

  /** Pauses a handler in every process: its due deliveries wait. @throws DeliveryNotFoundError */
  async pause(handler: string): Promise<void> {
    await this.updateHandler(handler, () => 'paused = true');
  }

  /** Resumes a paused handler. @throws DeliveryNotFoundError */
  async resume(handler: string): Promise<void> {
    await this.updateHandler(handler, () => 'paused = false');
  }

  /** How far behind each handler is, by name. */
  lag(): Promise<HandlerLag[]> {
    return this.store.read((manager) => lagOfHandlers(manager, this.clock));
  }

  /** Resolves when nothing is due and nothing runs in this process; it also does the timetable's work that is due. */
  async drain(): Promise<void> {
    let before: number;
    do {
      before = this.timetable.count; // its work that is done meanwhile may have made deliveries, too
      await this.runner.drain();
      await this.timetable.runDue();
    } while (this.timetable.count > before);
  }

  private async updateHandler(
    handler: string,
    change: (parameters: SqlParameters) => string,
    check: (manager: EntityManager) => Promise<void> = async () => undefined,
  ): Promise<void> {
    const rows = await this.changing(async (manager) => {
      await check(manager);
      const p = this.clock.parameters();
      const changed = await manager.query(
        `UPDATE livekit_handlers SET ${change(p)} WHERE name = ${p.add(plainText(handler))} RETURNING name`,
        p.values,
      );
      return rowsOf(changed);
    });
    if (rows.length === 0)
      throw new DeliveryNotFoundError(
        `there is no handler \`${handler}\`: \`lag()\` lists all that there are`,
      );
    this.tell();
  }

  private async forAll(
    filter: DeliveryFilter,
    change: (manager: EntityManager, ended: EndedDelivery) => Promise<unknown>,
    { toReplay = true } = {},
  ): Promise<number> {
    const search = { filter: checkedFilter(filter), limit: BATCH, toReplay };
    let changed = 0;
    const { first, last } = await this.ids();
    for (let after = first - 1; after < last;) {
      const to = Math.min(after + SPAN[this.store.dialect], last);
      const batch = await this.changing(async (manager) => {
        const some = await endedAmong(manager, this.clock, { ...search, after, to });
        for (const ended of some) await change(manager, ended);
        return some;
      });
      changed += batch.length;
      after = batch.length < BATCH ? to : (batch.at(-1)?.id ?? to);
      if (batch.length > 0) this.tell();
      await nextTurn();
    }
    return changed;
  }

  private changing<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.store.write(async (manager) => {
      await lock(manager, 'ordering');
      return work(manager);
    });
  }

  /** The lowest and highest id of the present deliveries. */
  private async ids(): Promise<{ first: number; last: number }> {
    const [row] = await this.store.read((manager) =>
      manager.query<{ first: number | string | null; last: number | string | null }[]>(
        'SELECT (SELECT min(id) FROM livekit_deliveries) AS first, (SELECT max(id) FROM livekit_deliveries) AS last',
      ),
    );
    return { first: Number(row?.first ?? 1), last: Number(row?.last ?? 0) };
  }

  private tell(): void {
    this.runner.lookAgain();
    this.notifications.notify();
  }
}

import { Injectable } from '@nestjs/common';
import { isDate } from 'node:util/types';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { plainText } from '../../database/plain-text.js';
import { type Parameters, rowsOf } from '../../database/sql.js';
import { StoreClock } from '../clock.js';
import { DeliveryRunner } from '../delivery-runner.js';
import { Notifications } from '../running/notifications.js';
import { OrderingLock } from '../running/ordering-lock.js';
import { Timetable } from '../running/timetable.js';
import {
  type Delivery,
  DELIVERY_STATES,
  type DeliveryFilter,
  type DeliveryPage,
  type DeliveryQuery,
  type FailedAttempt,
  type HandlerLag,
} from './delivery.js';
import {
  attemptOf,
  type AttemptRow,
  conditionOf,
  deliveryOf,
  type DeliveryRow,
  SELECT_DELIVERIES,
} from './delivery-rows.js';
import { endedAmong, type EndedDelivery, endedOne } from './ended-deliveries.js';
import { DeliveryNotFoundError, DeliveryRequestError, DeliveryStateError } from './errors.js';
import { lagOfHandlers } from './handler-lag.js';
import { Replays } from './replay.js';

/** Deliveries that are replayed or dismissed in one transaction. */
const BATCH = 200;

/**
 * Deliveries that one statement looks through, however few of them meet a filter: SQLite answers in this process, and
 * webhooks wait meanwhile; PostgreSQL may look through all events for each when a room is asked for.
 */
const SPAN = { sqlite: 20_000, postgres: 1_000_000 };

/** Which events a handler is to be given after the fact. */
export interface BackfillStart {
  /** Those received since then; by default all that are stored. */
  since?: Date;
  /** Those from this place in the log on. */
  fromSeq?: number;
}

/** What happened to events on their way to handlers, and what can be done about it. */
@Injectable()
export class Deliveries {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly lock: OrderingLock,
    private readonly replays: Replays,
    private readonly runner: DeliveryRunner,
    private readonly notifications: Notifications,
    private readonly timetable: Timetable,
  ) {}

  /** Deliveries, the newest first. @throws DeliveryRequestError when the query is not understood. */
  async list(query: DeliveryQuery = {}): Promise<DeliveryPage> {
    const limit = limitOf(query);
    const filter = checked(query);
    const position = query.cursor === undefined ? Infinity : positionOf(query.cursor);
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

  /** One delivery, with every attempt that failed; `null` when there is none of this id. */
  async get(id: number): Promise<(Delivery & { attempts: FailedAttempt[] }) | null> {
    if (!Number.isSafeInteger(id)) return null; // PostgreSQL would not even look
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
   * Runs a delivery's event again, by the same handler: a new delivery, whose `replay` is one more.
   *
   * @returns the new delivery's id.
   * @throws DeliveryNotFoundError when there is none of this id.
   * @throws DeliveryStateError when it has not come to its end, or its event's bytes have been pruned or erased.
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
   * Replays every ended delivery that a filter meets (dead ones by default), in small transactions; those that have been
   * replayed since, and those whose event's bytes are gone, are left out.
   *
   * @returns how many.
   * @throws DeliveryRequestError when the filter is not understood.
   */
  replayAll(filter: DeliveryFilter = {}): Promise<number> {
    return this.forAll({ ...filter, state: filter.state ?? 'dead' }, (manager, ended) =>
      this.replays.replay(manager, ended),
    );
  }

  /**
   * Lets a dead letter rest.
   *
   * @throws DeliveryNotFoundError when there is none of this id.
   * @throws DeliveryStateError when it is not one.
   */
  async dismiss(id: number): Promise<void> {
    await this.changing(async (manager) => {
      const ended = await endedOne(manager, this.clock, id, false);
      if (ended.state !== 'dead')
        throw new DeliveryStateError(`delivery ${id} is ${ended.state}: only a dead one can be dismissed`);
      await this.replays.letRest(manager, ended, 'dismissed');
    });
    this.tell();
  }

  /** Dismisses every dead letter that a filter meets, in small transactions. @returns how many. */
  dismissAll(filter: Omit<DeliveryFilter, 'state'> = {}): Promise<number> {
    return this.forAll(
      { ...filter, state: 'dead' },
      (manager, ended) => this.replays.letRest(manager, ended, 'dismissed'),
      false,
    );
  }

  /**
   * Gives a handler what was stored before it came: every event that it hears of and has not been given, little by little.
   *
   * @throws DeliveryNotFoundError when no process has ever had such a handler.
   * @throws DeliveryRequestError when the start is none.
   * @throws DeliveryStateError when it is ordered, and an earlier start has not come to its end: what is new waits for that one.
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

  /** Lets a handler rest, in every process: what is due waits. @throws DeliveryNotFoundError */
  async pause(handler: string): Promise<void> {
    await this.updateHandler(handler, () => 'paused = true');
  }

  /** Lets a handler go on. @throws DeliveryNotFoundError */
  async resume(handler: string): Promise<void> {
    await this.updateHandler(handler, () => 'paused = false');
  }

  /** How far behind each handler is, by name. */
  lag(): Promise<HandlerLag[]> {
    return this.store.read((manager) => lagOfHandlers(manager, this.clock));
  }

  /** Resolves when nothing is left that is due now and nothing runs, in this process; what falls due by itself is done, too. */
  async drain(): Promise<void> {
    let before: number;
    do {
      before = this.timetable.count; // what it does meanwhile by itself may have made deliveries, too
      await this.runner.drain();
      await this.timetable.runDue();
    } while (this.timetable.count > before);
  }

  private async updateHandler(
    handler: string,
    change: (parameters: Parameters) => string,
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
    needsBody = true,
  ): Promise<number> {
    const search = { filter: checked(filter), limit: BATCH, needsBody };
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
      await this.lock.hold(manager);
      return work(manager);
    });
  }

  /** Between which ids every delivery of now lies. */
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

// What comes from a host's own route may be anything.
function checked<F extends DeliveryFilter>(filter: F): F {
  if (filter.state === undefined || DELIVERY_STATES.includes(filter.state)) return filter;
  throw new DeliveryRequestError(`\`state\` must be one of ${DELIVERY_STATES.join(', ')}`);
}

function limitOf({ limit = 50 }: DeliveryQuery): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 500) return limit;
  throw new DeliveryRequestError('`limit` must be a whole number from 1 to 500');
}

// No time and no number would become NULL on SQLite, and with it all that is stored, or nothing.
function checkedStart(start: BackfillStart): BackfillStart {
  const { since, fromSeq } = start;
  if (since !== undefined && !(isDate(since) && Number.isFinite(since.getTime())))
    throw new DeliveryRequestError('`since` must be a valid Date');
  if (fromSeq !== undefined && !(Number.isSafeInteger(fromSeq) && fromSeq >= 0))
    throw new DeliveryRequestError('`fromSeq` must be a whole number, the `seq` of an event');
  return start;
}

function positionOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new DeliveryRequestError(
    '`cursor` is not one of ours: give the `nextCursor` of the page before, as it was',
  );
}

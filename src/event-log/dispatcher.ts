import { Inject, Injectable, Optional } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../database/event-store.js';
import { rowsOf, skipLocked } from '../database/sql.js';
import { type ClaimedDelivery, Claims, type Demand, isRoomFree } from './claims.js';
import { StoreClock } from './clock.js';
import {
  type DeliveryEngine,
  DeliveryEngineError,
  type DeliveryEngineOptions,
} from './engines/delivery-engine.js';
import { openEngine } from './engines/open-engine.js';
import { storeId } from './engines/store-id.js';
import type { Handler } from './handlers/handler.js';
import { OrderingLock } from './running/ordering-lock.js';
import { errorFields, toldOf } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';

/** Where the choice of an engine is injected from. */
export const DELIVERY_ENGINE_OPTIONS = Symbol.for('nestjs-livekit-webhooks:delivery-engine-options');

/** How long an engine is trusted with a delivery that is due, before it is given to it again, milliseconds. */
const TRUST = 15_000;

/** The most deliveries of a handler that an engine has at a time: the rest waits where it is safe, in the store. */
const WINDOW = 1_000;

/** How many deliveries of a handler it brings before it is given more: to look for them costs as much as to claim them. */
const REFILL = 128;

/** How long it waits when the engine fails, milliseconds. */
const ENGINE_TROUBLE = 1_000;

/** What an engine has done, as this process knows it. */
export interface EngineFigures {
  type: DeliveryEngineOptions['type'];
  isUp: boolean;
  /** Deliveries that it was given. */
  carried: number;
  /** How often it did not take them. */
  failures: number;
}

/**
 * Finds the deliveries that this process is to run now. Without an engine, it claims what is due. With one, whatever is
 * due is given to the engine, and what the engine hands out here is claimed. Only what is
 * due and not handed over yet (`carried_until`) goes into the engine, and goes again once `TRUST` is over: so it is filled, and
 * filled again when it has lost everything.
 */
@Injectable()
export class Dispatcher {
  private readonly logger = new Log('DeliveryEngine');
  private engine: DeliveryEngine | null = null;
  /** What was handed out and is not claimed yet, by handler: how the engine is told that it is. */
  private readonly arrivals = new Map<string, Map<number, Arrival>>();
  /** What has been claimed since the engine was given more, by handler. */
  private readonly brought = new Map<string, number>();
  private stopping = false;
  /** What was handed out and never claimed, when this process stops. */
  private readonly leftOver: number[] = [];
  /** Which handler's deliveries it has not taken. */
  private trouble: string | undefined;
  private isTrusted = true;
  private wake: (handler: string) => void = () => undefined;
  private carried = 0;
  private failures = 0;
  /** What the engine is being given. */
  private readonly carrying = new Set<Promise<void>>();

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly claims: Claims,
    private readonly lock: OrderingLock,
    @Optional()
    @Inject(DELIVERY_ENGINE_OPTIONS)
    private readonly options: DeliveryEngineOptions = { type: 'database' },
  ) {}

  /** @param onArrival is told when a handler has something to do. @throws MissingPeerError when its packages are missing. */
  async start(handlers: readonly Handler[], onArrival: (handler: string) => void): Promise<void> {
    if (this.options.type === 'database') return;
    this.wake = onArrival;
    const engine = await openEngine(this.options, await storeId(this.store));
    this.engine = engine;
    for (const { name } of handlers) this.arrivals.set(name, new Map());
    const consumers = handlers.map(({ name, concurrency, batch }) => ({
      handler: name,
      atOnce: Math.min(concurrency * (batch ?? 1) * 4, 256),
    }));
    engine.start(consumers, async (handler, id) => {
      if (!Number.isSafeInteger(id)) return; // somebody else's, and no statement would take it
      if (this.stopping) {
        this.leftOver.push(id);
        return;
      }
      const arrival = this.arrivals.get(handler)?.get(id) ?? newArrival(); // an engine may repeat itself
      this.arrivals.get(handler)?.set(id, arrival);
      onArrival(handler);
      return arrival.received;
    });
  }

  /** Whether deliveries that are due come by way of an engine. */
  get hasEngine(): boolean {
    return this.engine !== null;
  }

  get figures(): EngineFigures {
    const { carried, failures, trouble } = this;
    return { type: this.options.type, isUp: trouble === undefined, carried, failures };
  }

  /** Claims what is to be run here, in the caller's transaction, which holds the ordering lock if a demand is ordered. */
  async take(manager: EntityManager, demands: readonly Demand[]): Promise<ClaimedDelivery[]> {
    if (this.engine === null) return this.claims.take(manager, demands);
    const handedOut = demands
      .map((demand) => ({ ...demand, among: this.arrivedFor(demand.handler) }))
      .filter(({ among }) => among.length > 0);
    const claimed = await this.claims.take(manager, handedOut);
    const waiting = await this.stillDue(manager, handedOut, claimed);
    this.store.afterCommit(manager, () => {
      for (const { handler, among } of handedOut) {
        this.acknowledge(
          handler.name,
          among.filter((id) => !waiting.has(id)),
        );
      }
    });
    const mayCarry = this.isTrusted && !this.stopping;
    for (const { handler } of mayCarry ? demands : [])
      if (this.runsShort(handler, claimed)) await this.refill(manager, handler);
    return claimed;
  }

  /** Resolves when the engine can be reached; there may be none. @throws DeliveryEngineError, fit to be told to anybody. */
  async check(): Promise<void> {
    try {
      await this.engine?.check();
    } catch (error) {
      if (error instanceof DeliveryEngineError) throw error;
      throw new DeliveryEngineError(`its server is not reached: ${toldOf(error)}`, { cause: error });
    }
  }

  /** Nothing is handed out here any more, and what was and is not claimed is anybody's again. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const [handler, ids] of this.arrivals) {
      this.leftOver.push(...ids.keys());
      this.acknowledge(handler, [...ids.keys()]);
    }
    await this.engine?.stop().catch((error: unknown) =>
      this.logger.warn('the engine did not stop as it should', {
        engine: this.options.type,
        ...errorFields(error),
      }),
    );
    await Promise.all(this.carrying);
    await this.takeBack(this.leftOver); // only now: an engine does not take what it has not quite forgotten
  }

  private arrivedFor({ name }: Handler): number[] {
    return [...(this.arrivals.get(name)?.keys() ?? [])];
  }

  /** What was handed out, is due and could not be claimed yet, for its room is busy, say: it stays here until it can be. */
  private async stillDue(
    manager: EntityManager,
    handedOut: readonly { among: readonly number[] }[],
    claimed: readonly ClaimedDelivery[],
  ): Promise<Set<number>> {
    const taken = new Set(claimed.map(({ id }) => id));
    const others = handedOut.flatMap(({ among }) => among).filter((id) => !taken.has(id));
    if (others.length === 0) return new Set();
    const p = this.clock.parameters();
    const rows = await manager.query<{ id: number | string }[]>(
      `SELECT id FROM livekit_deliveries
       WHERE ${p.isOneOf('id', others)} AND state = 'pending' AND due_at <= ${this.clock.now(p)}`,
      p.values,
    );
    return new Set(rows.map(({ id }) => Number(id)));
  }

  private acknowledge(handler: string, ids: readonly number[]): void {
    const arrivals = this.arrivals.get(handler);
    for (const id of ids) {
      arrivals?.get(id)?.acknowledge();
      arrivals?.delete(id);
    }
  }

  // Rooms become free all the time: what is ordered is looked for at once.
  private runsShort(handler: Handler, claimed: readonly ClaimedDelivery[]): boolean {
    const now = claimed.filter((delivery) => delivery.handler === handler).length;
    const brought = (this.brought.get(handler.name) ?? 0) + now;
    const isShort = handler.ordered || now === 0 || brought >= REFILL;
    this.brought.set(handler.name, isShort ? 0 : brought);
    return isShort;
  }

  private async refill(manager: EntityManager, { name, ordered }: Handler): Promise<void> {
    const p = this.clock.parameters();
    const handler = p.add(name);
    const now = this.clock.now(p);
    // Of a room, the first one stands for those behind it: they are claimed with it.
    const first = ordered ? 'DISTINCT ON (coalesce(order_key, id::text)) id' : 'id';
    const rows = rowsOf<{ id: number | string }>(
      await manager.query(
        `WITH due AS MATERIALIZED (
           SELECT d.id, d.order_key, d.due_at, d.event_seq, d.carried_until FROM livekit_deliveries d
           WHERE d.handler = ${handler} AND d.state = 'pending' AND d.due_at <= ${now} ${ordered ? `AND ${isRoomFree(handler)}` : ''}
             AND NOT EXISTS (SELECT 1 FROM livekit_handlers h WHERE h.name = ${handler} AND h.paused)
           ORDER BY d.due_at, d.event_seq LIMIT ${WINDOW}
         ), heads AS (
           SELECT ${first}, carried_until FROM due ${ordered ? 'ORDER BY coalesce(order_key, id::text), due_at, event_seq' : ''}
         ), untrusted AS MATERIALIZED (
           SELECT id FROM livekit_deliveries WHERE state = 'pending' AND id IN (
             SELECT id FROM heads WHERE carried_until IS NULL OR carried_until < ${now}
           ) ${skipLocked(this.store.dialect)}
         )
         UPDATE livekit_deliveries SET carried_until = ${now} + ${TRUST} WHERE id IN (SELECT id FROM untrusted) RETURNING id`,
        p.values,
      ),
    );
    const ids = rows.map(({ id }) => Number(id)).sort((a, b) => a - b);
    if (ids.length > 0) {
      this.store.afterCommit(manager, () => {
        const carrying: Promise<void> = this.carry(name, ids).finally(() => this.carrying.delete(carrying));
        this.carrying.add(carrying);
      });
    } else if (this.trouble === name && this.carrying.size === 0) {
      this.recover(); // what it did not say it took has come all the same
    }
  }

  private async carry(handler: string, ids: readonly number[]): Promise<void> {
    try {
      await this.engine?.carry(handler, ids);
      this.carried += ids.length;
      this.recover();
    } catch (error) {
      if (!this.stopping) this.report(handler, error);
      await this.takeBack(ids);
    }
  }

  private recover(): void {
    if (this.trouble !== undefined)
      this.logger.log('the engine carries deliveries again', { engine: this.options.type });
    this.trouble = undefined;
  }

  private report(handler: string, error: unknown): void {
    this.failures += 1;
    if (this.trouble === undefined) {
      this.logger.error(
        'the engine takes no deliveries: they wait in the store, and webhooks are stored as before',
        { engine: this.options.type, ...errorFields(error) },
      );
    }
    this.trouble = handler;
    this.isTrusted = false;
    const tryAgain = setTimeout(() => {
      this.isTrusted = true;
      this.wake(handler);
    }, ENGINE_TROUBLE);
    tryAgain.unref();
  }

  private async takeBack(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    const p = this.clock.parameters();
    const taking = this.store.write(async (manager) => {
      // A claim passes over what is locked: whoever is behind it in its room would overtake it.
      await this.lock.hold(manager);
      await manager.query(
        `WITH waiting AS MATERIALIZED (
           SELECT id FROM livekit_deliveries
           WHERE state = 'pending' AND carried_until IS NOT NULL AND ${p.isOneOf('id', ids)} ${skipLocked(this.store.dialect)}
         )
         UPDATE livekit_deliveries SET carried_until = NULL WHERE id IN (SELECT id FROM waiting)`,
        p.values,
      );
    });
    await taking.catch(() => undefined); // then they are given to it again when it is trusted no more
  }
}

/** A delivery that was handed out, until it is claimed. */
interface Arrival {
  received: Promise<void>;
  acknowledge(): void;
}

function newArrival(): Arrival {
  let acknowledge = (): void => undefined;
  const received = new Promise<void>((resolve) => (acknowledge = resolve));
  return { received, acknowledge };
}

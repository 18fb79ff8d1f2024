import type { EntityManager } from 'typeorm';
import { lock } from '../../database/advisory-locks.js';
import type { EventStore } from '../../database/event-store.js';
import { rowsOf, skipLocked } from '../../database/sql.js';
import { errorFields } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';
import { type ClaimedDelivery, isClaimable } from '../claim/claims.js';
import type { StoreClock } from '../clock.js';
import type { Handler } from '../handlers/handler.js';
import type { DeliveryEngine, DeliveryEngineOptions } from './delivery-engine.js';

/** How long an engine is trusted with a due delivery before it is given it again, milliseconds. */
const TRUST = 15_000;

/** The most deliveries of a handler that an engine has at a time: the rest wait where they are safe, in the store. */
const WINDOW = 1_000;

/** How many deliveries of a handler it brings before it is given more: finding them costs as much as claiming them. */
const REFILL = 128;

/** How long it waits when the engine fails, milliseconds. */
const ENGINE_TROUBLE = 1_000;

/** What an engine has done, as far as this process knows. */
export interface EngineFigures {
  type: DeliveryEngineOptions['type'];
  isUp: boolean;
  /** Deliveries that it was given. */
  carried: number;
  /** How often it did not accept them. */
  failures: number;
}

/**
 * Gives an engine due deliveries, and takes back those that it does not accept. Only deliveries that are due and not handed
 * over yet (`carried_until`) go into the engine, and go again once `TRUST` is over: so it is filled, and filled again when it
 * has lost everything.
 */
export class EngineSupply {
  private readonly logger = new Log('DeliveryEngine');
  /** How many have been claimed since the engine was given more, by handler. */
  private readonly brought = new Map<string, number>();
  /** The handler whose deliveries it has not accepted. */
  private trouble: string | undefined;
  private isTrusted = true;
  private isOver = false;
  private carried = 0;
  private failures = 0;
  /** What is on its way to the engine. */
  private readonly carrying = new Set<Promise<void>>();

  /** @param onTrusted is called with the handler whose deliveries an engine that has failed may be given again. */
  constructor(
    private readonly engine: DeliveryEngine,
    private readonly type: DeliveryEngineOptions['type'],
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly onTrusted: (handler: string) => void,
  ) {}

  get figures(): EngineFigures {
    const { type, carried, failures, trouble } = this;
    return { type, isUp: trouble === undefined, carried, failures };
  }

  /** Gives it more for handlers that run short, going by what is claimed, once the caller's transaction is committed. */
  async refill(
    manager: EntityManager,
    handlers: readonly Handler[],
    claimed: readonly ClaimedDelivery[],
  ): Promise<void> {
    if (!this.isTrusted || this.isOver) return;
    for (const handler of handlers) if (this.runsShort(handler, claimed)) await this.fill(manager, handler);
  }

  /** Gives it nothing more. */
  close(): void {
    this.isOver = true;
  }

  /** Takes back what was handed out and never claimed, for any process to run, once nothing is on its way any more. */
  async takeBackAll(ids: readonly number[]): Promise<void> {
    await Promise.all(this.carrying);
    await this.takeBack(ids);
  }

  // Rooms become free all the time: ordered deliveries are looked for at once.
  private runsShort(handler: Handler, claimed: readonly ClaimedDelivery[]): boolean {
    const now = claimed.filter((delivery) => delivery.handler === handler).length;
    const brought = (this.brought.get(handler.name) ?? 0) + now;
    const isShort = handler.ordered || now === 0 || brought >= REFILL;
    this.brought.set(handler.name, isShort ? 0 : brought);
    return isShort;
  }

  private async fill(manager: EntityManager, handler: Handler): Promise<void> {
    const { name, ordered } = handler;
    const p = this.clock.parameters();
    const now = this.clock.now(p);
    // The first delivery of a room stands for those behind it: they are claimed with it.
    const first = ordered ? 'DISTINCT ON (coalesce(order_key, id::text)) id' : 'id';
    const rows = rowsOf<{ id: number | string }>(
      await manager.query(
        `WITH due AS MATERIALIZED (
           SELECT d.id, d.order_key, d.due_at, d.event_seq, d.carried_until FROM livekit_deliveries d
           WHERE ${isClaimable(handler, p.add(name), now)}
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
      this.recover(); // what it did not confirm has arrived all the same
    }
  }

  private async carry(handler: string, ids: readonly number[]): Promise<void> {
    try {
      await this.engine.carry(handler, ids);
      this.carried += ids.length;
      this.recover();
    } catch (error) {
      if (!this.isOver) this.report(handler, error);
      await this.takeBack(ids);
    }
  }

  private recover(): void {
    if (this.trouble !== undefined)
      this.logger.log('the engine carries deliveries again', { engine: this.type });
    this.trouble = undefined;
  }

  private report(handler: string, error: unknown): void {
    this.failures += 1;
    if (this.trouble === undefined) {
      this.logger.error(
        'the engine takes no deliveries: they wait in the store, and webhooks are stored as before',
        { engine: this.type, ...errorFields(error) },
      );
    }
    this.trouble = handler;
    this.isTrusted = false;
    const tryAgain = setTimeout(() => {
      this.isTrusted = true;
      this.onTrusted(handler);
    }, ENGINE_TROUBLE);
    tryAgain.unref();
  }

  private async takeBack(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    const taking = this.store.write(async (manager) => {
      const p = this.clock.parameters();
      // A claim skips what is locked: deliveries behind it in its room would overtake it.
      await lock(manager, 'ordering');
      await manager.query(
        `WITH waiting AS MATERIALIZED (
           SELECT id FROM livekit_deliveries
           WHERE state = 'pending' AND carried_until IS NOT NULL AND ${p.isOneOf('id', ids)} ${skipLocked(this.store.dialect)}
         )
         UPDATE livekit_deliveries SET carried_until = NULL WHERE id IN (SELECT id FROM waiting)`,
        p.values,
      );
    });
    await taking.catch(() => undefined); // then they are given to it again when `TRUST` is over
  }
}

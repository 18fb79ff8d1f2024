import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { errorFields, toldOf } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';
import { type ClaimedDelivery, Claims, type Demand } from '../claim/claims.js';
import { StoreClock } from '../clock.js';
import type { Handler } from '../handlers/handler.js';
import { Arrivals } from './arrivals.js';
import { type DeliveryEngine, DeliveryEngineError, type DeliveryEngineOptions } from './delivery-engine.js';
import { type EngineFigures, EngineSupply } from './engine-supply.js';
import { openEngine } from './open-engine.js';
import { storeId } from './store-id.js';

/** Injection token of the delivery engine's options. */
export const DELIVERY_ENGINE_OPTIONS = Symbol.for('nestjs-livekit-webhooks:delivery-engine-options');

/**
 * Finds the deliveries that this process is to run now. Without an engine, it claims those that are due. With one, it
 * gives those to the engine, and claims the ones that the engine hands out here.
 */
@Injectable()
export class Dispatcher {
  private readonly logger = new Log('DeliveryEngine');
  private engine: DeliveryEngine | null = null;
  private supply: EngineSupply | null = null;
  private readonly arrivals = new Arrivals();
  private stopping = false;
  /** Deliveries handed out and never claimed, when this process stops. */
  private readonly leftOver: number[] = [];

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly claims: Claims,
    @Inject(DELIVERY_ENGINE_OPTIONS) private readonly options: DeliveryEngineOptions,
  ) {}

  /** @param onArrival is called when a handler has something to do. @throws MissingPeerError when packages are missing. */
  async start(handlers: readonly Handler[], onArrival: (handler: string) => void): Promise<void> {
    if (this.options.type === 'database') return;
    const engine = await openEngine(this.options, await storeId(this.store));
    const { store, clock } = this;
    this.engine = engine;
    this.supply = new EngineSupply(engine, this.options.type, store, clock, onArrival);
    const consumers = handlers.map(({ name, concurrency, batch }) => ({
      handler: name,
      atOnce: Math.min(concurrency * (batch ?? 1) * 4, 256),
    }));
    engine.start(consumers, async (handler, id) => {
      if (!Number.isSafeInteger(id)) return; // not one of ours, and no statement would accept it
      if (this.stopping) {
        this.leftOver.push(id);
        return;
      }
      const acknowledged = this.arrivals.take(handler, id);
      onArrival(handler);
      return acknowledged;
    });
  }

  /** Whether due deliveries come through an engine. */
  get hasEngine(): boolean {
    return this.engine !== null;
  }

  get figures(): EngineFigures {
    return this.supply?.figures ?? { type: this.options.type, isUp: true, carried: 0, failures: 0 };
  }

  /** Claims deliveries to run here, in the caller's transaction, which holds the ordering lock if a demand is ordered. */
  async take(manager: EntityManager, demands: readonly Demand[]): Promise<ClaimedDelivery[]> {
    if (this.supply === null) return this.claims.take(manager, demands);
    const handedOut = demands
      .map((demand) => ({ ...demand, among: this.arrivals.of(demand.handler.name) }))
      .filter(({ among }) => among.length > 0);
    const claimed = await this.claims.take(manager, handedOut);
    const waiting = await this.stillDue(manager, handedOut, claimed);
    this.store.afterCommit(manager, () => {
      for (const { handler, among } of handedOut) {
        this.arrivals.acknowledge(
          handler.name,
          among.filter((id) => !waiting.has(id)),
        );
      }
    });
    const handlers = demands.map(({ handler }) => handler);
    await this.supply.refill(manager, handlers, claimed);
    return claimed;
  }

  /** Resolves when the engine can be reached, or there is none. @throws DeliveryEngineError, safe to show to anybody. */
  async check(): Promise<void> {
    try {
      await this.engine?.check();
    } catch (error) {
      if (error instanceof DeliveryEngineError) throw error;
      throw new DeliveryEngineError(`its server is not reached: ${toldOf(error)}`, { cause: error });
    }
  }

  /** Stops handing out deliveries here, and releases those handed out and not claimed, for any process to run. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.supply?.close();
    this.leftOver.push(...this.arrivals.clear());
    await this.engine?.stop().catch((error: unknown) =>
      this.logger.warn('the engine did not stop as it should', {
        engine: this.options.type,
        ...errorFields(error),
      }),
    );
    await this.supply?.takeBackAll(this.leftOver); // only now: an engine does not accept what it has not quite forgotten
  }

  /** Deliveries handed out and due, but not claimable yet (their room is busy, say): they stay here until they are. */
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
}

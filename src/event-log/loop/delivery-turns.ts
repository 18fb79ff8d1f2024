import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { lock, tryLock } from '../../database/advisory-locks.js';
import { EventStore } from '../../database/event-store.js';
import type { ClaimedDelivery, Demand } from '../claim/claims.js';
import { Dispatcher } from '../engines/dispatcher.js';
import { Backfill, type Backfilled } from '../route/backfill.js';
import { type FannedOut, NOTHING } from '../route/fan-out.js';
import { Router } from '../route/router.js';
import { type Settlement, Settlements } from '../settle/settlements.js';

/** The work of one turn. */
export interface Turn {
  /** How runs ended. */
  settling: readonly Settlement[];
  /** What handlers that may have something due have room for. */
  demands: readonly Demand[];
  /** Whether there may be events to give to handlers, new or old. */
  routing: boolean;
  /** Whether old ones may be among them. */
  backfilling: boolean;
}

/** The result of one turn, once it is committed. */
export interface TurnOutcome {
  /** The ids of the deliveries to settle whose lease had been lost. */
  lost: number[];
  /** What was given to handlers; `null`: another process is routing, and may not see all events. */
  routed: Routed | null;
  /** All that was to be claimed, including what was just routed. */
  asked: Demand[];
  /** What was claimed of it. */
  claimed: ClaimedDelivery[];
}

type Routed = FannedOut & { backfilled?: Backfilled };

/** Takes the turns of the runner: each settles, routes and claims, in one short transaction. */
@Injectable()
export class DeliveryTurns {
  constructor(
    private readonly store: EventStore,
    private readonly settlements: Settlements,
    private readonly router: Router,
    private readonly backfill: Backfill,
    private readonly dispatcher: Dispatcher,
  ) {}

  /**
   * Takes one turn.
   *
   * @param demandsOf returns what handlers that were just given something have room for.
   */
  take(turn: Turn, demandsOf: (handlers: Iterable<string>) => Demand[]): Promise<TurnOutcome> {
    return this.store.write(async (manager) => {
      const mayOrder = await this.mayOrder(manager, turn);
      const lost = await this.settlements.settle(manager, turn.settling);
      const routed = await this.route(manager, turn, mayOrder);
      // What was just routed is claimed at once, not a turn later.
      const routedTo = demandsOf(routed?.handlers ?? []).filter(
        ({ handler }) => !turn.demands.some((demand) => demand.handler === handler),
      );
      const asked = [...turn.demands, ...routedTo];
      const claimed = await this.dispatcher.take(manager, asked);
      return { lost, routed, asked, claimed };
    });
  }

  /** Waits for the ordering lock if the turn needs it; only to route, it does not wait. @returns whether it is held. */
  private async mayOrder(manager: EntityManager, { settling, demands, routing }: Turn): Promise<boolean> {
    const handlers = [...demands, ...settling.map(({ delivery }) => delivery)].map(({ handler }) => handler);
    const mustOrder = handlers.some(({ ordered }) => ordered);
    if (mustOrder) await lock(manager, 'ordering');
    return mustOrder || (routing && (await tryLock(manager, 'ordering')));
  }

  private async route(
    manager: EntityManager,
    { routing, backfilling }: Turn,
    mayRoute: boolean,
  ): Promise<Routed | null> {
    if (!routing) return NOTHING;
    if (!mayRoute) return null;
    const routed = await this.router.route(manager);
    // New events go first; old ones have time, but need not wait until there is none.
    if (!backfilling || routed.isFull) return routed;
    const backfilled = await this.backfill.step(manager);
    const given = backfilled.handler === null ? [] : [backfilled.handler];
    return { ...routed, handlers: new Set([...routed.handlers, ...given]), backfilled };
  }
}

import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../database/event-store.js';
import type { ClaimedDelivery, Demand } from './claims.js';
import { Backfill, type Backfilled } from './deliveries/backfill.js';
import { Dispatcher } from './dispatcher.js';
import { type FannedOut, NOTHING } from './fan-out.js';
import { Router } from './router.js';
import { OrderingLock } from './running/ordering-lock.js';
import { type Settlement, Settlements } from './settlements.js';

/** What is to be done in one turn. */
export interface Turn {
  /** How runs ended. */
  settling: readonly Settlement[];
  /** What handlers have room for that may have something due. */
  demands: readonly Demand[];
  /** Whether events may have to be given to handlers, be they new or old. */
  routing: boolean;
  /** Whether old ones may be among them. */
  backfilling: boolean;
}

/** What was done in one turn, once it is committed. */
export interface TurnOutcome {
  /** The ids of those to settle whose lease had been lost. */
  lost: number[];
  /** What was given to handlers; `null`: another process is at it, and nobody can tell whether it sees all. */
  routed: Routed | null;
  /** All that was to be claimed, what has just been routed included. */
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
    private readonly lock: OrderingLock,
    private readonly settlements: Settlements,
    private readonly router: Router,
    private readonly backfill: Backfill,
    private readonly dispatcher: Dispatcher,
  ) {}

  /**
   * Takes one turn.
   *
   * @param demandsOf says what handlers that have just been given something have room for.
   */
  take(turn: Turn, demandsOf: (handlers: Iterable<string>) => Demand[]): Promise<TurnOutcome> {
    return this.store.write(async (manager) => {
      const mayOrder = await this.mayOrder(manager, turn);
      const lost = await this.settlements.settle(manager, turn.settling);
      const routed = await this.route(manager, turn, mayOrder);
      // What has just been routed is claimed at once, and not a turn later.
      const routedTo = demandsOf(routed?.handlers ?? []).filter(
        ({ handler }) =>
          !turn.demands.some((demand) => demand.handler === handler) && (mayOrder || !handler.ordered),
      );
      const asked = [...turn.demands, ...routedTo];
      const claimed = await this.dispatcher.take(manager, asked);
      return { lost, routed, asked, claimed };
    });
  }

  /** Waits for the ordering lock if the turn can't do without; only to route, it does not. @returns whether it is held. */
  private async mayOrder(manager: EntityManager, { settling, demands, routing }: Turn): Promise<boolean> {
    const handlers = [...demands, ...settling.map(({ delivery }) => delivery)].map(({ handler }) => handler);
    const mustOrder = handlers.some(({ ordered }) => ordered);
    if (mustOrder) await this.lock.hold(manager);
    return mustOrder || (routing && (await this.lock.tryHold(manager)));
  }

  private async route(
    manager: EntityManager,
    { routing, backfilling }: Turn,
    mayRoute: boolean,
  ): Promise<Routed | null> {
    if (!routing) return NOTHING;
    if (!mayRoute) return null;
    const routed = await this.router.route(manager);
    // What is new goes first; what is old has time, but not until nothing is new.
    if (!backfilling || routed.isFull) return routed;
    const backfilled = await this.backfill.step(manager);
    const given = backfilled.handler === null ? [] : [backfilled.handler];
    return { ...routed, handlers: new Set([...routed.handlers, ...given]), backfilled };
  }
}

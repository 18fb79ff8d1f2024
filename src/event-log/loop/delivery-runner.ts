import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { once } from 'node:events';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { EventStore } from '../../database/event-store.js';
import { errorFields } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';
import { exponentialBackoff } from '../backoff.js';
import type { Demand } from '../claim/claims.js';
import { Leases } from '../claim/leases.js';
import { Recovery } from '../claim/recovery.js';
import type { DeliveryEngineOptions } from '../engines/delivery-engine.js';
import { Dispatcher } from '../engines/dispatcher.js';
import { HandlerRegistry } from '../handlers/handler-registry.js';
import { HandlerTable } from '../handlers/handler-table.js';
import { inSteps } from '../in-steps.js';
import { Notifications } from '../notifications.js';
import { EdgeRoleError, ROLE, type Role } from '../role.js';
import { ApplicationStoppingError } from '../run/handler-runs.js';
import { InFlight } from '../run/in-flight.js';
import { Agenda } from './agenda.js';
import { DeliveryTurns, type Turn, type TurnOutcome } from './delivery-turns.js';
import { TurnShares } from './turn-shares.js';
import { type WakeHint, WakeUp } from './wake-up.js';

/** Options of the delivery runner. */
export interface DeliveryRunnerOptions {
  /** How long runs may go on when the application stops, milliseconds, 10 s by default. */
  drainTimeout?: number | undefined;
  /** What brings deliveries to the processes that run them, by default the database itself; others need PostgreSQL. */
  engine?: DeliveryEngineOptions | undefined;
}

/** Injection token of the runner's options. */
export const DELIVERY_RUNNER_OPTIONS = Symbol.for('nestjs-livekit-webhooks:delivery-runner-options');

/** How long an idle runner sleeps unless it is woken, or something falls due, milliseconds. */
const SLOW_POLL = 30_000;

/**
 * How long it waits when something is due but can't be claimed: its handler or its room is busy, or it has only just
 * fallen due. The end of a run here wakes the runner; this is for runs that end elsewhere.
 */
const heldUpFor = exponentialBackoff({ first: 5, longest: 1_000 });

/** How long it waits when the store fails, milliseconds. */
const STORE_TROUBLE = 1_000;

/** How long it waits when another process routes, milliseconds. */
const CONTENDED = 20;

/**
 * Runs deliveries: whenever there may be something to do, it takes a turn, and runs what that has claimed. Each turn is
 * one short transaction; the runs themselves go on between turns.
 */
@Injectable()
export class DeliveryRunner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Log('DeliveryRunner');
  private readonly agenda: Agenda;
  private readonly shares = new TurnShares();
  private loop: Promise<void> | undefined;
  private stopping = false;
  private hasEnded = false;
  /** How often in a row nothing could be claimed, though something was due. */
  private heldUp = 0;
  private idleWaiters: (() => void)[] = [];

  constructor(
    private readonly store: EventStore,
    private readonly registry: HandlerRegistry,
    private readonly table: HandlerTable,
    private readonly turns: DeliveryTurns,
    private readonly dispatcher: Dispatcher,
    private readonly inFlight: InFlight,
    private readonly leases: Leases,
    private readonly recovery: Recovery,
    private readonly wakeUp: WakeUp,
    private readonly notifications: Notifications,
    @Inject(DELIVERY_RUNNER_OPTIONS) private readonly options: { drainTimeout: number },
    @Inject(ROLE) private readonly role: Role,
  ) {
    this.agenda = new Agenda(() => wakeUp.signal());
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.role === 'edge') return;
    const handlers = [...this.registry.handlers.values()];
    this.inFlight.open(handlers, (handler, mayHaveMore) => this.agenda.enterEnded(handler, mayHaveMore));
    await this.store.write((manager) => this.table.enter(manager, handlers));
    await inSteps(
      () => this.store.write((manager) => this.table.unblock(manager)),
      () => this.stopping,
    );
    await this.recovery.atStart();
    await this.dispatcher.start(handlers, (handler) => this.agenda.enterDue(handler));
    this.wakeUp.onWake((hint) => this.wake(hint));
    this.lookAgain();
    this.loop = this.run();
  }

  /** Begins no more deliveries, and gives running ones their time to end. */
  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    this.agenda.close();
    this.inFlight.close();
    this.wakeUp.signal();
    await this.dispatcher.stop(); // before runs have had their time: other processes run what it would hand out here
    await this.loop;
  }

  /** Resolves when nothing is due and nothing runs, or the runner has stopped. */
  async drain(): Promise<void> {
    if (this.role === 'edge') throw new EdgeRoleError('runs no deliveries');
    if (!this.hasEnded) await this.recovery.ofTheDead();
    if (this.hasEnded) return; // perhaps meanwhile
    const idle = new Promise<void>((resolve) => this.idleWaiters.push(resolve));
    this.lookAgain();
    await idle;
  }

  /** Looks for work of every kind at once. */
  lookAgain(): void {
    this.agenda.enterAll(this.registry.handlers.keys());
  }

  private async run(): Promise<void> {
    const lengths = [...this.registry.handlers.values()].map(({ lease }) => lease);
    const thirdOfLease = Math.min(...lengths, 60_000) / 3;
    let takeOverAt = performance.now() + thirdOfLease;
    const heartbeat = setInterval(() => void this.leases.renew(), thirdOfLease);
    heartbeat.unref();
    try {
      while (!this.stopping) {
        const woken = this.wakeUp.next();
        await nextTurn(); // so that requests get their turn, and what ends together is settled together
        // A runner that always has work never rests until a lease is over.
        if (performance.now() > takeOverAt) {
          takeOverAt = performance.now() + thirdOfLease;
          await this.takeOver();
        }
        const seen = this.agenda.entries;
        if (!(await this.turn()) && seen === this.agenda.entries) await this.rest(woken, seen);
      }
      await this.drainRuns();
    } finally {
      clearInterval(heartbeat);
      this.hasEnded = true;
      this.endDrains();
    }
  }

  /** @returns whether there may be more to do at once. */
  private async turn(): Promise<boolean> {
    const settling = this.inFlight.takeEnded();
    const demands = this.demandsOf(this.agenda.mayBeDue);
    const routing = !this.stopping && this.agenda.mayBeUnrouted;
    if (settling.length === 0 && demands.length === 0 && !routing) return false;
    const turn: Turn = { settling, demands, routing, backfilling: this.agenda.mayBeBackfillable };
    this.agenda.begin(demands);
    const since = performance.now();
    try {
      const outcome = await this.turns.take(turn, (handlers) => this.demandsOf(handlers));
      this.shares.grow();
      this.inFlight.settled(settling, outcome.lost);
      this.agenda.enterAfter(turn, outcome);
      if (outcome.claimed.length > 0) this.heldUp = 0;
      this.tellOthers(turn, outcome);
      this.inFlight.begin(outcome.claimed, since);
      if (outcome.routed === null) await delay(CONTENDED);
      return settling.length > 0 || outcome.claimed.length > 0 || this.agenda.mayBeUnrouted;
    } catch (error) {
      this.logger.error('the store failed a turn of deliveries; trying again', errorFields(error));
      this.shares.shrink();
      this.inFlight.putBack(settling);
      this.lookAgain();
      await delay(STORE_TROUBLE);
      return true;
    }
  }

  private tellOthers({ settling }: Turn, { routed }: TurnOutcome): void {
    const mayHelp = routed !== null && routed.handlers.size > 0;
    const mustTakeOver = this.stopping && settling.length > 0; // the deliveries that are released
    if (mayHelp || mustTakeOver) this.notifications.notify();
  }

  /** What these handlers may claim in a turn: nothing once the runner stops. */
  private demandsOf(names: Iterable<string>): Demand[] {
    if (this.stopping) return [];
    return this.shares.of(this.inFlight.wantedBy(names));
  }

  private wake(hint: WakeHint): void {
    if (hint === 'elsewhere') return this.lookAgain();
    this.agenda.enterAppended(this.idleWaiters.length > 0);
  }

  private async rest(woken: Promise<void>, seen: number): Promise<void> {
    const patience = await this.patience();
    if (seen !== this.agenda.entries) return; // something came during that query, which can't answer for a `drain` begun since
    const isUnderWay = this.dispatcher.hasEngine && this.heldUp > 0; // what is due, perhaps, through the engine
    if (this.leases.size === 0 && !isUnderWay) this.endDrains();
    const timer = new AbortController();
    const poll = delay(patience, 'poll' as const, { signal: timer.signal, ref: false }).catch(
      () => undefined,
    );
    if ((await Promise.race([woken, poll])) === 'poll') await this.takeOver();
    timer.abort();
  }

  private endDrains(): void {
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  private async patience(): Promise<number> {
    const hungry = this.inFlight.wantedBy(this.registry.handlers.keys());
    try {
      const { wait, isOverdue } = await this.recovery.untilNext(hungry.map(({ handler }) => handler.name));
      this.heldUp = isOverdue ? this.heldUp + 1 : 0;
      return Math.min(SLOW_POLL, wait, isOverdue ? heldUpFor(this.heldUp) : SLOW_POLL);
    } catch (error) {
      this.logger.error('the store failed to say what is due; looking again', errorFields(error));
      return STORE_TROUBLE;
    }
  }

  private async takeOver(): Promise<void> {
    await this.recovery
      .ofTheDead()
      .catch((error: unknown) =>
        this.logger.error(
          'the store failed to say what the dead have left; looking again',
          errorFields(error),
        ),
      );
    this.lookAgain();
  }

  private async drainRuns(): Promise<void> {
    const { drainTimeout } = this.options;
    const lateness = new AbortController();
    const late = once(lateness.signal, 'abort');
    const giveUp = () => this.leases.giveUp(new ApplicationStoppingError('the application stops'));
    const timers = [
      setTimeout(giveUp, drainTimeout),
      setTimeout(() => lateness.abort(), drainTimeout + 1_000), // for runs that heed the signal
    ];
    while (this.leases.size > 0 && !lateness.signal.aborted) {
      const woken = this.wakeUp.next();
      if (!(await this.turn())) await Promise.race([woken, late]);
    }
    for (const timer of timers) clearTimeout(timer);
    if (this.inFlight.hasEnded) await this.turn(); // the store was slow, or failed: what is not given back would wait for its lease
    if (this.leases.size === 0) return;
    this.logger.warn('deliveries were still running when the application stopped: they are run again', {
      count: this.leases.size,
    });
  }
}

import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { ToldError } from '../../logging/told-error.js';
import { inSpan, within } from '../../tracing/spans.js';
import { traceparentOf } from '../../tracing/trace-context.js';
import type { ClaimedDelivery } from '../claim/claims.js';
import { type Lease, LeaseLostError, LeaseOverError } from '../claim/lease.js';
import type { LoggedEvent } from '../events.js';
import type { BatchContext, DeliveryContext } from '../handlers/context.js';
import { DiscardDelivery } from '../handlers/outcomes.js';
import { type Settlement, Settlements } from '../settle/settlements.js';
import { holdsRoom, readable, verdictOf } from '../settle/verdict.js';
import { startAttempt } from './attempt-span.js';
import { HandlerActivity, type HandlerRun } from './handler-activity.js';
import { RunEnd } from './run-end.js';

/** A run took longer than its handler's `timeout`. */
export class DeliveryTimeoutError extends ToldError {
  override readonly name = 'DeliveryTimeoutError';

  constructor(where: string, milliseconds: number) {
    super(
      `${where} did not end within ${milliseconds} ms: let it heed \`signal\`, or give it a longer \`timeout\``,
    );
  }
}

/** The application is stopping, and has no more time for a run. */
export class ApplicationStoppingError extends ToldError {
  override readonly name = 'ApplicationStoppingError';
}

/**
 * How often, beyond its `maxAttempts`, a delivery may be left running by a process that died: a process that claims many
 * may have died of another one, or not even have begun this one.
 */
const DEATHS = 3;

type Readable = ClaimedDelivery & { event: LoggedEvent };

/** Runs handlers: once per delivery, or once per batch. */
@Injectable()
export class HandlerRuns {
  constructor(
    private readonly store: EventStore,
    private readonly settlements: Settlements,
    private readonly activity: HandlerActivity,
  ) {}

  /**
   * Runs a handler with one delivery, or with a batch; it never rejects.
   *
   * @param leaseOf finds a delivery's lease. Of a batch, some may be over while the others run on.
   * @returns what is left to settle: not what was acknowledged in its handler's transaction.
   */
  async run(
    deliveries: readonly ClaimedDelivery[],
    leaseOf: (delivery: ClaimedDelivery) => Lease,
  ): Promise<Settlement[]> {
    const settlements: Settlement[] = [];
    const members: Readable[] = [];
    for (const delivery of deliveries) {
      const refusal = refusalOf(delivery);
      if (refusal === null) members.push(delivery as Readable);
      else settlements.push({ delivery, verdict: refusal });
    }
    if (members.length > 0 && !(await this.attempt(members, leaseOf, settlements))) {
      // Which of them is to blame is unknown: the others must not suffer for it, unless they wait behind it in its room.
      for (const member of members) {
        const { ordered } = member.handler;
        const isHeld = ordered && settlements.some(holdsRoom);
        if (isHeld) settlements.push({ delivery: member, verdict: RELEASED });
        else await this.attempt([member], leaseOf, settlements);
      }
    }
    return settlements;
  }

  /** @returns whether it is settled: a batch that fails as a whole is not. */
  private async attempt(
    members: readonly Readable[],
    leaseOf: (delivery: ClaimedDelivery) => Lease,
    settlements: Settlement[],
  ): Promise<boolean> {
    const [first] = members as [Readable];
    const { handler } = first;
    const leases = members.map(leaseOf);
    const span = startAttempt(members);
    const started = performance.now();
    const ran = (outcome: HandlerRun['outcome']) =>
      within(span, () =>
        this.activity.ran({ handler: handler.name, outcome, milliseconds: performance.now() - started }),
      );
    try {
      await inSpan(span, () => this.call(members, leases));
      ran('done');
      const done = members.map((delivery) => ({ delivery, verdict: DONE }));
      // A transactional one has been acknowledged in its transaction.
      if (handler.transactional) this.activity.settled(done);
      else settlements.push(...done);
    } catch (thrown) {
      const error = readable(thrown);
      const isStopped = leases.some(({ isGivenUp }) => isGivenUp);
      if (!isStopped) ran(error instanceof DiscardDelivery ? 'discarded' : 'failed');
      if (members.length > 1 && !isStopped) return false;
      if (error instanceof LeaseLostError) return true; // another process has it now, and none of our writes were kept
      const isReleased = isStopped || error instanceof LeaseOverError;
      for (const delivery of members) {
        const verdict = isReleased ? RELEASED : verdictOf(error, delivery);
        settlements.push({ delivery, verdict, traceparent: traceparentOf(span), thrown: error });
      }
    }
    return true;
  }

  private async call(members: readonly Readable[], leases: readonly Lease[]): Promise<void> {
    const [first] = members as [Readable];
    const { handler } = first;
    const end = new RunEnd();
    const timer = setTimeout(
      () => end.end(new DeliveryTimeoutError(handler.where, handler.timeout)),
      handler.timeout,
    );
    const unheard = leases.map((lease) => lease.onGivenUp((reason) => end.end(reason)));
    try {
      const argument =
        handler.batch === null
          ? handler.decode(first.event)
          : members.map(({ event }) => handler.decode(event));
      const begin = async (more?: { manager: EntityManager }): Promise<void> => {
        for (const lease of leases) lease.requireTime();
        await handler.call(argument, Object.assign(contextOf(members, end), more));
      };
      if (!handler.transactional) return await end.unlessEnded(begin);
      const inTransaction = async (manager: EntityManager) => {
        await begin({ manager });
        await this.settlements.acknowledge(manager, members);
      };
      const { signal } = end;
      // Sessions of a very large room take their time, and would take no less if they were rolled back.
      if (handler.internal)
        await this.store.ourTransaction(inTransaction, { signal, deadline: handler.timeout });
      else await this.store.hostTransaction(inTransaction, { signal });
    } finally {
      clearTimeout(timer);
      for (const forget of unheard) forget();
    }
  }
}

const DONE = { state: 'done' } as const;
const RELEASED = { state: 'released' } as const;

function refusalOf({ event, attempt, handler }: ClaimedDelivery): Settlement['verdict'] | null {
  if (event === null) return { state: 'discarded', error: "the event's bytes were pruned or erased" };
  if (attempt <= handler.maxAttempts + DEATHS) return null;
  return {
    state: 'dead',
    error: `every process that was to run ${handler.where} with this event has died of it`,
  };
}

function contextOf(members: readonly Readable[], end: RunEnd): DeliveryContext | BatchContext {
  const deliveries = members.map(({ id, handler, event, attempt, replay }) => ({
    id,
    handler: handler.name,
    idempotencyKey: `${event.source}/${event.eventId}/${handler.name}`,
    attempt,
    maxAttempts: handler.maxAttempts,
    replay,
    get signal() {
      return end.signal;
    },
  }));
  const [first] = deliveries as [DeliveryContext];
  const isBatch = members[0]?.handler.batch !== null;
  if (!isBatch) return first;
  return {
    handler: first.handler,
    deliveries,
    get signal() {
      return end.signal;
    },
  };
}

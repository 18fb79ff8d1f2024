import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { rowsOf, type SqlParameters } from '../../database/sql.js';
import { EventAppender } from '../append/event-appender.js';
import { byToken, type ClaimedDelivery } from '../claim/claims.js';
import { LeaseLostError } from '../claim/lease.js';
import { StoreClock } from '../clock.js';
import { block, holdBack } from '../room-wait.js';
import type { Verdict } from './verdict.js';

/** A claimed delivery, and the verdict on it. */
export interface Settlement {
  delivery: ClaimedDelivery;
  verdict: Verdict;
  /** The span of the attempt, to which the next attempt's is linked. */
  traceparent?: string | null;
  /** What its handler threw. */
  thrown?: unknown;
}

/** The SQL of what to change in a row. */
type Change = (parameters: SqlParameters) => string;

/** Records the outcomes of deliveries, only under their own token, so that a process that comes late changes nothing. */
@Injectable()
export class Settlements {
  constructor(
    private readonly clock: StoreClock,
    private readonly events: EventAppender,
  ) {}

  /**
   * Acknowledges deliveries as part of the transaction of their handler.
   *
   * @throws LeaseLostError when one of them is no longer ours: the transaction must then be rolled back.
   */
  async acknowledge(manager: EntityManager, deliveries: readonly ClaimedDelivery[]): Promise<void> {
    const lost = await this.finish(manager, deliveries);
    if (lost.length > 0) throw new LeaseLostError(lost);
  }

  /**
   * Records verdicts in the caller's transaction, which holds the ordering lock if a failed delivery is ordered.
   *
   * @returns the ids of those whose lease had been lost, which are left unchanged.
   */
  async settle(manager: EntityManager, settlements: readonly Settlement[]): Promise<number[]> {
    const those = (state: Verdict['state']) =>
      settlements.filter(({ verdict }) => verdict.state === state).map(({ delivery }) => delivery);
    const lost = await this.finish(manager, those('done'));
    // Released ones first, so that they wait behind a retry of their room like the others.
    lost.push(...(await this.release(manager, those('released'))));
    for (const settlement of settlements) {
      if (!(await this.settleOne(manager, settlement))) lost.push(settlement.delivery.id);
    }
    return lost;
  }

  private async settleOne(
    manager: EntityManager,
    { delivery, verdict, traceparent = null }: Settlement,
  ): Promise<boolean> {
    switch (verdict.state) {
      case 'done':
      case 'released':
        return true; // settled above, all at once
      case 'discarded':
        return this.update(
          manager,
          delivery,
          (p) => `state = 'discarded', done_at = ${this.clock.now(p)}, error = ${p.add(verdict.error)}`,
        );
      case 'retry': {
        const isOurs = await this.update(
          manager,
          delivery,
          (p) =>
            `state = 'pending', due_at = ${this.clock.now(p)} + ${p.add(verdict.after)}, error = ${p.add(verdict.error)}, traceparent = ${p.add(traceparent)}`,
        );
        if (isOurs) {
          await this.keepAttempt(manager, delivery, verdict.error);
          // Deliveries behind it in its room must not be due before it.
          if (delivery.orderKey !== null) await holdBack(manager, delivery.id);
        }
        return isOurs;
      }
      case 'dead': {
        const isOurs = await this.update(
          manager,
          delivery,
          (p) => `state = 'dead', done_at = ${this.clock.now(p)}, error = ${p.add(verdict.error)}`,
        );
        if (isOurs) {
          await this.keepAttempt(manager, delivery, verdict.error);
          if (delivery.orderKey !== null) await block(manager, delivery.id);
          await this.tellDead(manager, delivery, verdict.error);
        }
        return isOurs;
      }
    }
  }

  private finish(manager: EntityManager, deliveries: readonly ClaimedDelivery[]): Promise<number[]> {
    return this.updateAll(manager, deliveries, (p) => `state = 'done', done_at = ${this.clock.now(p)}`);
  }

  /** As if they had not been claimed. */
  private release(manager: EntityManager, deliveries: readonly ClaimedDelivery[]): Promise<number[]> {
    return this.updateAll(manager, deliveries, () => "state = 'pending', attempt = attempt - 1");
  }

  /** @returns the ids of those that are not ours. */
  private async updateAll(
    manager: EntityManager,
    deliveries: readonly ClaimedDelivery[],
    change: Change,
  ): Promise<number[]> {
    const ours = new Set<number>();
    for (const [token, some] of byToken(deliveries)) {
      const p = this.clock.parameters();
      const rows = rowsOf<{ id: number | string }>(
        await manager.query(
          `UPDATE livekit_deliveries SET ${change(p)}, lease_until = NULL, lease_token = NULL
           WHERE state = 'running' AND lease_token = ${p.add(token)} AND ${p.isOneOf(
             'id',
             some.map(({ id }) => id),
           )} RETURNING id`,
          p.values,
        ),
      );
      for (const { id } of rows) ours.add(Number(id));
    }
    return deliveries.map(({ id }) => id).filter((id) => !ours.has(id));
  }

  private async update(manager: EntityManager, delivery: ClaimedDelivery, change: Change): Promise<boolean> {
    return (await this.updateAll(manager, [delivery], change)).length === 0;
  }

  private async keepAttempt(
    manager: EntityManager,
    { id, attempt }: ClaimedDelivery,
    error: string,
  ): Promise<void> {
    const p = this.clock.parameters();
    await manager.query(
      `INSERT INTO livekit_attempts (delivery_id, attempt, failed_at, error)
       VALUES (${p.add(id)}, ${p.add(attempt)}, ${this.clock.now(p)}, ${p.add(error)})
       ON CONFLICT (delivery_id, attempt) DO UPDATE SET failed_at = excluded.failed_at, error = excluded.error`,
      p.values,
    );
  }

  private async tellDead(manager: EntityManager, delivery: ClaimedDelivery, error: string): Promise<void> {
    const { id, handler, event, attempt } = delivery;
    if (event === null || event.kind === 'delivery') return; // or a handler of dead letters could feed on its own
    await this.events.append(manager, {
      kind: 'delivery',
      name: 'delivery.dead',
      id: `dead:${id}`,
      project: event.source,
      room: { sid: event.roomSid, name: event.roomName },
      data: {
        deliveryId: id,
        handler: handler.name,
        attempts: attempt,
        error: error.split('\n', 1)[0],
        event: { id: event.eventId, kind: event.kind, name: event.name },
      },
    });
  }
}

import { Injectable } from '@nestjs/common';
import { EventStore } from '../../database/event-store.js';
import { errorFields } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';
import { type ClaimedDelivery, Claims } from './claims.js';
import { Lease, LeaseLostError } from './lease.js';

/** Every delivery that this process has claimed and not settled, under its lease. */
@Injectable()
export class Leases {
  private readonly logger = new Log('DeliveryRunner');
  private readonly held = new Map<ClaimedDelivery, Lease>();

  constructor(
    private readonly store: EventStore,
    private readonly claims: Claims,
  ) {}

  get size(): number {
    return this.held.size;
  }

  /** @param asked when it was claimed, by `performance.now()`, or a little earlier. */
  hold(delivery: ClaimedDelivery, asked: number): void {
    this.held.set(delivery, new Lease(delivery.id, delivery.handler.lease, asked));
  }

  of(delivery: ClaimedDelivery): Lease {
    return this.held.get(delivery) as Lease;
  }

  drop(delivery: ClaimedDelivery): void {
    this.held.delete(delivery);
  }

  /** Gives up every delivery, which ends its run. */
  giveUp(reason: Error): void {
    for (const lease of this.held.values()) lease.giveUp(reason);
  }

  /** Renews all leases, and ends the runs of those that are lost; it never rejects. */
  async renew(): Promise<void> {
    for (const length of new Set([...this.held.keys()].map(({ handler }) => handler.lease))) {
      try {
        await this.renewThose(
          [...this.held].filter(([{ handler }]) => handler.lease === length),
          length,
        );
      } catch (error) {
        this.logger.error('the store failed to renew leases; trying again', errorFields(error));
      }
    }
  }

  private async renewThose(held: readonly [ClaimedDelivery, Lease][], length: number): Promise<void> {
    const deliveries = held.map(([delivery]) => delivery);
    const asked = performance.now();
    const { renewed, ours } = await this.store.write((manager) =>
      this.claims.renew(manager, deliveries, length),
    );
    for (const [{ id }, lease] of held) {
      if (renewed.has(id)) lease.renew(asked);
      // Or it was settled meanwhile: then its run is over, and does not notice.
      else if (!ours.has(id)) lease.giveUp(new LeaseLostError([id]));
    }
  }
}

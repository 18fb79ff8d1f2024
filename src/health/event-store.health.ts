import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { setTimeout as delay } from 'node:timers/promises';
import { EventStore } from '../database/event-store.js';
import { toldOf } from '../logging/error-fields.js';
import { ToldError } from '../logging/told-error.js';

/** How long the store may take to commit before it counts as down, milliseconds: as long as a delivery waits. */
export const PATIENCE = 2_000;

/** Tells Terminus whether the event store can commit a write now. */
@Injectable()
export class EventStoreHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly store: EventStore,
  ) {}

  /** Commits a write, and tells how that went under `key`. */
  async isHealthy(key = 'event_store') {
    const indicator = this.indicators.check(key);
    const patience = new AbortController();
    try {
      await Promise.race([this.store.ping(), this.tooSlow(patience.signal)]);
      return indicator.up();
    } catch (error) {
      return indicator.down({ message: toldOf(error) });
    } finally {
      patience.abort();
    }
  }

  private async tooSlow(signal: AbortSignal): Promise<never> {
    await delay(PATIENCE, undefined, { signal, ref: false });
    throw new ToldError(`no commit within ${PATIENCE / 1000} s`);
  }
}

import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { abandonable } from '../database/abandonable.js';
import { EventStore } from '../database/event-store.js';
import { toldOf } from '../logging/error-fields.js';
import { ToldError } from '../logging/told-error.js';

/** How long the store may take to commit before it counts as down, milliseconds: as long as a webhook waits. */
export const PATIENCE = 2_000;

/** Reports to Terminus whether the event store can commit a write now. */
@Injectable()
export class EventStoreHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly store: EventStore,
  ) {}

  /** Commits a write, and reports the result under `key`. */
  async isHealthy(key = 'event_store') {
    const indicator = this.indicators.check(key);
    const error = new ToldError(`no commit within ${PATIENCE / 1000} s`);
    try {
      await abandonable(() => this.store.ping(), { limit: { after: PATIENCE, error } });
      return indicator.up();
    } catch (thrown) {
      return indicator.down({ message: toldOf(thrown) });
    }
  }
}

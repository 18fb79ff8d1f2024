import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { Dispatcher } from '../event-log/engines/dispatcher.js';

/** Reports to Terminus whether the engine that carries deliveries can be reached: while it can't, they wait in the store. */
@Injectable()
export class DeliveryEngineHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly dispatcher: Dispatcher,
  ) {}

  /** Checks the engine, and reports the result under `key`; the database engine is always up. */
  async isHealthy(key = 'delivery_engine') {
    const indicator = this.indicators.check(key);
    const { type } = this.dispatcher.figures;
    try {
      await this.dispatcher.check();
      return indicator.up({ type });
    } catch (error) {
      return indicator.down({ type, message: error instanceof Error ? error.message : 'unknown' });
    }
  }
}

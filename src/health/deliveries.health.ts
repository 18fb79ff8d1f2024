import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { Backlog } from '../event-log/deliveries/backlog.js';
import { toldOf } from '../logging/error-fields.js';
import { deliveryFigures, deliveryTroubles } from './delivery-troubles.js';
import { HEALTH_SETTINGS, type HealthSettings } from './health.options.js';

/** Reports to Terminus whether stored events reach their handlers in time, the same in every process. */
@Injectable()
export class DeliveryHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly backlog: Backlog,
    @Inject(HEALTH_SETTINGS) private readonly settings: HealthSettings,
  ) {}

  /** Whether lags and dead letters are within their limits, under `key`. Not for readiness: a backlog refuses no webhook. */
  async isHealthy(key = 'deliveries') {
    const indicator = this.indicators.check(key);
    try {
      const summary = await this.backlog.summary();
      const troubles = deliveryTroubles(summary, this.settings);
      const figures = { ...deliveryFigures(summary) };
      return troubles.length > 0
        ? indicator.down({ ...figures, message: troubles.join('; ') })
        : indicator.up(figures);
    } catch (error) {
      return indicator.down({ message: toldOf(error) });
    }
  }
}

import { Controller, Get, ServiceUnavailableException, VERSION_NEUTRAL } from '@nestjs/common';
import {
  HealthCheck,
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorFunction,
} from '@nestjs/terminus';
import { DeliveryHealthIndicator } from './deliveries.health.js';
import { DeliveryEngineHealthIndicator } from './delivery-engine.health.js';
import { EventStoreHealthIndicator } from './event-store.health.js';
import { HealthLog } from './health-log.js';
import { LivekitHealthIndicator } from './livekit.health.js';
import { OutletsHealthIndicator } from './outlets.health.js';
import { ShutdownHealthIndicator } from './shutdown.health.js';
import { WebhookSilenceHealthIndicator } from './webhook-silence.health.js';

/** Health for an orchestrator, which restarts the process by `live`, and sends it traffic by `ready`. */
@Controller({ path: 'health', version: VERSION_NEUTRAL })
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly log: HealthLog,
    private readonly store: EventStoreHealthIndicator,
    private readonly outlets: OutletsHealthIndicator,
    private readonly shutdown: ShutdownHealthIndicator,
    private readonly engine: DeliveryEngineHealthIndicator,
    private readonly deliveries: DeliveryHealthIndicator,
    private readonly webhooks: WebhookSilenceHealthIndicator,
    private readonly livekit: LivekitHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  all() {
    return this.check([
      ...this.traffic,
      () => this.deliveries.isHealthy(),
      () => this.engine.isHealthy(),
      () => this.outlets.isHealthy(),
      () => this.webhooks.isHealthy(),
      () => this.livekit.isHealthy(),
    ]);
  }

  @Get('live')
  @HealthCheck()
  live() {
    return this.check([]);
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.check(this.traffic);
  }

  private async check(indicators: HealthIndicatorFunction[]): Promise<HealthCheckResult> {
    try {
      const result = await this.health.check(indicators);
      this.log.hear(result.details);
      return result;
    } catch (error) {
      if (error instanceof ServiceUnavailableException)
        this.log.hear((error.getResponse() as HealthCheckResult).details);
      throw error;
    }
  }

  // What webhooks need: a backlog, or an outlet that is down, delays what follows a webhook, but refuses none.
  private get traffic() {
    return [() => this.store.isHealthy(), () => this.shutdown.isRunning()];
  }
}

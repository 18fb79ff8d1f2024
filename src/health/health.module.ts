import { type DynamicModule, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { DeliveryHealthIndicator } from './deliveries.health.js';
import { DeliveryEngineHealthIndicator } from './delivery-engine.health.js';
import { EventStoreHealthIndicator } from './event-store.health.js';
import { HealthController } from './health.controller.js';
import { HealthLog } from './health-log.js';
import { HEALTH_OPTIONS, HealthModuleClass } from './health.module-definition.js';
import { HEALTH_SETTINGS, type LivekitHealthModuleOptions, resolveSettings } from './health.options.js';
import { LivekitHealthIndicator } from './livekit.health.js';
import { OutletsHealthIndicator } from './outlets.health.js';
import { ShutdownHealthIndicator } from './shutdown.health.js';
import { WebhookSilenceHealthIndicator } from './webhook-silence.health.js';

const INDICATORS = [
  DeliveryEngineHealthIndicator,
  DeliveryHealthIndicator,
  EventStoreHealthIndicator,
  LivekitHealthIndicator,
  OutletsHealthIndicator,
  ShutdownHealthIndicator,
  WebhookSilenceHealthIndicator,
];

/**
 * The health indicators, for a host's own health controller: import it as it is, or with thresholds by `forRoot` or
 * `forRootAsync`. Needs `LivekitWebhookModule`.
 */
@Module({
  imports: [TerminusModule],
  providers: [
    {
      provide: HEALTH_SETTINGS,
      inject: [{ token: HEALTH_OPTIONS, optional: true }],
      useFactory: (options?: LivekitHealthModuleOptions) => resolveSettings(options),
    },
    ...INDICATORS,
  ],
  exports: INDICATORS,
})
export class LivekitHealthModule extends HealthModuleClass {
  /** Without options, the defaults apply. */
  static override forRoot(options: LivekitHealthModuleOptions = {}): DynamicModule {
    return super.forRoot(options);
  }
}

/** The indicators and the routes of the standalone application. */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })], // it would log a line for every check answered 503
  controllers: [HealthController],
  providers: [HealthLog],
})
export class HealthModule {
  static forRoot(options: LivekitHealthModuleOptions = {}): DynamicModule {
    return { module: HealthModule, imports: [LivekitHealthModule.forRoot(options)] };
  }
}

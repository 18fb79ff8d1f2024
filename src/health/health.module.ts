import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { DeliveryEngineHealthIndicator } from './delivery-engine.health.js';
import { EventStoreHealthIndicator } from './event-store.health.js';
import { HealthController } from './health.controller.js';
import { OutletsHealthIndicator } from './outlets.health.js';
import { ShutdownHealthIndicator } from './shutdown.health.js';

/** The health indicators, for a host's own health controller. Needs `LivekitWebhookModule`. */
@Module({
  imports: [TerminusModule],
  providers: [
    DeliveryEngineHealthIndicator,
    EventStoreHealthIndicator,
    OutletsHealthIndicator,
    ShutdownHealthIndicator,
  ],
  exports: [
    DeliveryEngineHealthIndicator,
    EventStoreHealthIndicator,
    OutletsHealthIndicator,
    ShutdownHealthIndicator,
  ],
})
export class LivekitHealthModule {}

/** The indicators and the routes of the standalone application. */
@Module({ imports: [LivekitHealthModule, TerminusModule], controllers: [HealthController] })
export class HealthModule {}

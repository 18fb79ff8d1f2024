import { type DynamicModule, Module } from '@nestjs/common';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { createMetricsController } from './metrics.controller.js';
import type { MetricsModuleOptions } from './metrics.options.js';
import { METRICS_REGISTRY } from './metrics.registry.js';
import { SessionMetrics } from './session-metrics.js';
import { WebhookMetrics } from './webhook-metrics.js';

/** Counts deliveries and sessions for Prometheus, and serves the figures. Needs `LivekitWebhookModule`. */
@Module({})
export class MetricsModule {
  /** With no options: an own registry, served openly at `/metrics`. */
  static forRoot({
    path = '/metrics',
    token,
    registry = new Registry(),
    processMetrics = false,
  }: MetricsModuleOptions = {}): DynamicModule {
    if (processMetrics) collectDefaultMetrics({ register: registry });
    return {
      module: MetricsModule,
      controllers: path === false ? [] : [createMetricsController(path, token)],
      providers: [{ provide: METRICS_REGISTRY, useValue: registry }, WebhookMetrics, SessionMetrics],
      exports: [METRICS_REGISTRY],
    };
  }
}

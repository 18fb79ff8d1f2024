import { type DynamicModule, Module } from '@nestjs/common';
import { Registry } from 'prom-client';
import { AppendMetrics } from './append-metrics.js';
import { BuildMetrics } from './build-metrics.js';
import { DeliveryEngineMetrics } from './delivery-engine-metrics.js';
import { DeliveryMetrics } from './delivery-metrics.js';
import { HandlerMetrics } from './handler-metrics.js';
import { Instruments } from './instruments.js';
import { createMetricsController } from './metrics.controller.js';
import { type MetricsModuleOptions, requireKnown } from './metrics.options.js';
import { METRICS_REGISTRY } from './metrics.registry.js';
import { OutletMetrics } from './outlet-metrics.js';
import { ProcessMetrics } from './process-metrics.js';
import { ReconciliationMetrics } from './reconciliation-metrics.js';
import { SessionMetrics } from './session-metrics.js';
import { WebhookMetrics } from './webhook-metrics.js';

/** Counts deliveries and sessions for Prometheus, and serves the metrics. Needs `LivekitWebhookModule`. */
@Module({})
export class MetricsModule {
  /**
   * Without options: a registry of its own, served without a token at `/metrics`.
   *
   * @throws MetricsOptionsError, BearerTokenError
   */
  static forRoot(options: MetricsModuleOptions = {}): DynamicModule {
    const {
      path = '/metrics',
      token,
      decorators,
      registry = new Registry(),
      processMetrics = false,
    } = requireKnown(options);
    return {
      module: MetricsModule,
      controllers: path === false ? [] : [createMetricsController(path, token, decorators)],
      providers: [
        { provide: METRICS_REGISTRY, useValue: registry },
        Instruments,
        ...(processMetrics ? [ProcessMetrics] : []),
        WebhookMetrics,
        AppendMetrics,
        HandlerMetrics,
        DeliveryMetrics,
        DeliveryEngineMetrics,
        OutletMetrics,
        SessionMetrics,
        ReconciliationMetrics,
        BuildMetrics,
      ],
      exports: [METRICS_REGISTRY],
    };
  }
}

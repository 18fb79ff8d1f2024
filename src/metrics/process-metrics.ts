import { Injectable, type OnModuleInit } from '@nestjs/common';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { Instruments } from './instruments.js';

/** Gauges of prom-client that are named like counters, each the sum of another one. */
const MISNAMED = ['handles', 'requests', 'resources'].map((things) => `nodejs_active_${things}_total`);

/** Adds prom-client's metrics of the process: memory, processor, event loop, garbage collection. */
@Injectable()
export class ProcessMetrics implements OnModuleInit {
  constructor(private readonly instruments: Instruments) {}

  onModuleInit(): void {
    const all = new Registry();
    collectDefaultMetrics({ register: all });
    for (const name of MISNAMED) all.removeSingleMetric(name);
    for (const metric of all.getMetricsAsArray()) this.instruments.adopt(metric);
  }
}

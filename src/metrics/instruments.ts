import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Counter, Gauge, Histogram, type Metric, type MetricObject, Registry } from 'prom-client';
import { sampledTraceId } from '../tracing/trace-context.js';
import { METRICS_REGISTRY } from './metrics.registry.js';

/** The name, help text and label names of a metric. */
export interface MetricShape<Label extends string> {
  name: string;
  help: string;
  labelNames?: readonly Label[];
}

/** Adds a value to a histogram. @param trace the id of its trace, by default the active one if sampled; `''`: none. */
export type Observe<Label extends string> = (
  labels: Record<Label, string>,
  value: number,
  trace?: string,
) => void;

/**
 * Adds one for each set of labels, in a single call for equal ones: prom-client's bookkeeping takes longer than what
 * is counted.
 */
export function countEach<Label extends string>(
  counter: Counter<Label>,
  all: Iterable<Record<Label, string>>,
): void {
  const counts = new Map<string, { labels: Record<Label, string>; count: number }>();
  for (const labels of all) {
    const key = JSON.stringify(Object.values(labels));
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { labels, count: 1 });
    else known.count += 1;
  }
  for (const { labels, count } of counts.values()) counter.inc(labels, count);
}

/**
 * Registers metrics once everything else has started, and removes them when the application stops: a host's registry may
 * outlive it, and an application that fails to start is never stopped.
 */
@Injectable()
export class Instruments implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly made: Metric[] = [];

  constructor(@Inject(METRICS_REGISTRY) private readonly registry: Registry) {}

  onApplicationBootstrap(): void {
    for (const metric of this.made) this.registry.registerMetric(metric);
  }

  onApplicationShutdown(): void {
    for (const metric of this.made) {
      const name = Reflect.get(metric, 'name') as string;
      if (this.registry.getSingleMetric(name) === metric) this.registry.removeSingleMetric(name); // others are not ours
    }
  }

  /** A counter. @param collect is called on every scrape. */
  counter<Label extends string = never>(
    shape: MetricShape<Label>,
    collect?: (this: Counter<Label>) => void,
  ): Counter<Label> {
    return this.register(new Counter({ ...shape, registers: [], ...(collect && { collect }) }));
  }

  /** A histogram: the id of a sampled trace is kept with a value, as an exemplar. @param collect is called on every scrape. */
  histogram<Label extends string = never>(
    shape: MetricShape<Label>,
    buckets: readonly number[],
    collect?: () => void,
  ): Observe<Label> {
    // The type mistakes an exemplar's labels for the histogram's own.
    const histogram: Histogram = this.register(
      new Histogram<string>({
        ...shape,
        buckets: [...buckets],
        registers: [],
        enableExemplars: true,
        ...(collect && { collect }),
      }),
    );
    return (labels, value, trace = sampledTraceId()) =>
      histogram.observe({ labels, value, ...(trace && { exemplarLabels: { trace_id: trace } }) });
  }

  /** A gauge of what this process knows. @param collect sets it, on every scrape. */
  gauge<Label extends string = never>(
    shape: MetricShape<Label>,
    collect: (this: Gauge<Label>) => void,
  ): void {
    this.register(new Gauge({ ...shape, registers: [], collect }));
  }

  /**
   * A gauge read from the store, the same in every process. It is left out while the store fails, which is when
   * the other metrics are needed most.
   *
   * @param tell sets the gauge, which has been emptied.
   */
  storeGauge<Figures, Label extends string = never>(
    shape: MetricShape<Label>,
    read: () => Promise<Figures>,
    tell: (gauge: Gauge<Label>, figures: Figures) => void,
  ): void {
    const collect = async function (this: Gauge<Label>) {
      const figures = await read().catch(() => undefined);
      this.reset(); // a retired handler disappears
      if (figures !== undefined) tell(this, figures);
      else if (shape.labelNames === undefined) this.remove(); // or it would be 0
    };
    this.register(new Gauge({ ...shape, registers: [], collect }));
  }

  /** Registers a metric made elsewhere, unless the host has one of its name. */
  adopt(metric: MetricObject): void {
    if (this.registry.getSingleMetric(metric.name) === undefined) this.register(metric);
  }

  private register<M>(metric: M): M {
    this.made.push(metric as unknown as Metric);
    return metric;
  }
}

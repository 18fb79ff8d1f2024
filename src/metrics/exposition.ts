import { type Metric, Registry } from 'prom-client';

/** The metrics as text, and the content type that names its format. */
export interface Exposition {
  contentType: string;
  text: string;
}

/** Writes a registry's metrics in the requested format, and leaves the registry as it is. */
export async function expose(registry: Registry, format: 'prometheus' | 'openmetrics'): Promise<Exposition> {
  const contentType =
    format === 'openmetrics' ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
  if (registry.contentType === contentType) return { contentType, text: await registry.metrics() };
  const writer = new Registry();
  writer.setContentType(contentType as never);
  writer.setDefaultLabels(Reflect.get(registry, '_defaultLabels') as object);
  // OpenMetrics drops `_total` from a counter's name, and prom-client does that to the metric itself: so it gets a shadow.
  for (const metric of registry.getMetricsAsArray() as unknown as Metric[])
    writer.registerMetric(shadowOf(metric));
  return { contentType, text: await writer.metrics() };
}

const shadowOf = (metric: Metric): Metric =>
  Object.create(metric, {
    name: { value: Reflect.get(metric, 'name'), writable: true, enumerable: true },
  }) as Metric;

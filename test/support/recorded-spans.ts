import { NodeSDK, tracing } from '@opentelemetry/sdk-node';

/** Has the spans of this file's tests recorded, by a host's own OpenTelemetry SDK. */
export function recordedSpans(): tracing.InMemorySpanExporter {
  const exporter = new tracing.InMemorySpanExporter();
  const sdk = new NodeSDK({
    spanProcessors: [new tracing.SimpleSpanProcessor(exporter)],
    metricReaders: [],
    logRecordProcessors: [],
  });
  beforeAll(() => sdk.start());
  afterAll(() => sdk.shutdown());
  return exporter;
}

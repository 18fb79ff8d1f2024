import { EnvironmentError } from './config/environment-reader.js';
import { importPeers, MissingPeerError } from './event-log/optional-peer.js';

/** What a variable of OpenTelemetry's asks for, when it says more than nothing. */
const ASKS = ['OTEL_TRACES_EXPORTER', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];

/**
 * Starts OpenTelemetry's SDK for the application's spans, when its standard variables (`OTEL_…`) name an exporter or where
 * one sends to; all else of them the SDK reads itself. Metrics are Prometheus's, and the log is on stdout.
 *
 * @returns what sends the last spans and ends it; undefined when nobody traces.
 * @throws EnvironmentError when it is not installed.
 */
export async function startTracingSdk(
  env: Readonly<Record<string, string | undefined>>,
): Promise<(() => Promise<void>) | undefined> {
  const isAsked = ASKS.some((name) => env[name] && env[name] !== 'none');
  const isOff = env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none';
  if (!isAsked || isOff) return undefined;
  const { NodeSDK } = await importPeers(
    'tracing (`OTEL_…`)',
    ['@opentelemetry/sdk-node'],
    () => import('@opentelemetry/sdk-node'),
  ).catch((error: unknown) => {
    throw error instanceof MissingPeerError ? new EnvironmentError([error.message]) : error;
  });
  const sdk = new NodeSDK({
    ...(!env['OTEL_SERVICE_NAME'] && { serviceName: 'livekit-webhooks' }),
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return () => sdk.shutdown().catch(() => undefined); // whoever collects them may be down
}

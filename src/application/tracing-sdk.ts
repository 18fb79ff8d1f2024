import { EnvironmentError } from '../config/environment-reader.js';
import { toldOf } from '../logging/error-fields.js';
import { importPeers, MissingPeerError } from '../optional-peer.js';

/** The variables of OpenTelemetry that ask for tracing, when set to anything but `none`. */
const ASKS = ['OTEL_TRACES_EXPORTER', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];

/**
 * Starts OpenTelemetry's SDK for the application's spans, when its standard variables (`OTEL_…`) name an exporter or its
 * endpoint; the SDK reads the other variables itself. Metrics are left to Prometheus, and the log to stdout.
 *
 * @returns a function that sends the last spans and ends the SDK; undefined without tracing.
 * @throws EnvironmentError when it is not installed, or does not start with its variables.
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
  try {
    const sdk = new NodeSDK({
      ...(!env['OTEL_SERVICE_NAME'] && { serviceName: 'livekit-webhooks' }),
      metricReaders: [],
      logRecordProcessors: [],
    });
    sdk.start();
    return () => sdk.shutdown().catch(() => undefined); // the collector may be down
  } catch (error) {
    throw new EnvironmentError([
      `OTEL_…: OpenTelemetry's SDK does not start with these variables (${toldOf(error)}): give endpoints that are URLs, and headers as name=value,name=value`,
    ]);
  }
}

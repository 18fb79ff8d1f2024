import type { LoggerService } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import { NodeSDK, tracing } from '@opentelemetry/sdk-node';
import { signWebhook } from '../../../src/testing/sign-webhook.js';
import { handlerHosts } from '../../support/handlers.js';
import { TEST_KEY } from '../../support/signing.js';
import { NOW, webhook } from '../../support/webhook.js';

interface Line {
  message: string;
  id: string;
  traceId: string;
  /** Of the span that was active when it was written. */
  active: string | undefined;
}

describe('the line of a webhook', () => {
  const hosts = handlerHosts();
  const { NOT_RECORD, RECORD_AND_SAMPLED } = tracing.SamplingDecision;
  let decision: tracing.SamplingDecision;
  const sdk = new NodeSDK({
    sampler: { shouldSample: () => ({ decision }), toString: () => 'as the test wants it' },
    spanProcessors: [new tracing.SimpleSpanProcessor(new tracing.InMemorySpanExporter())],
    metricReaders: [],
    logRecordProcessors: [],
  });
  beforeAll(() => sdk.start());
  afterAll(() => sdk.shutdown());

  const linesOf = async (count: number): Promise<Line[]> => {
    const lines: Line[] = [];
    const log = (fields: unknown) => {
      const active = trace.getActiveSpan()?.spanContext().traceId;
      lines.push({ ...(fields as Line), active });
    };
    const logger: LoggerService = { log, warn: log, error: log };
    const host = await hosts.boot([]);
    host.app.useLogger(logger);
    await host.app.listen(0, '127.0.0.1');
    const url = `${await host.app.getUrl()}/voice/livekit/webhooks`;
    const bodies = Array.from({ length: count }, (_, nth) => webhook({ id: `EV_${nth}` }));
    await Promise.all(
      bodies.map((body) =>
        fetch(url, { method: 'POST', body, headers: signWebhook(body, { ...TEST_KEY, now: NOW }) }),
      ),
    );
    return lines.filter(({ message }) => message === 'webhook');
  };

  test('is written in the span of its request, where that is sampled', async () => {
    decision = RECORD_AND_SAMPLED;
    const lines = await linesOf(20);
    expect(new Set(lines.map(({ traceId }) => traceId)).size).toBe(20);
    for (const { traceId, active } of lines) expect(active).toBe(traceId);
  });

  test('tells its own trace and is written in no span, where it is not', async () => {
    decision = NOT_RECORD;
    const lines = await linesOf(20);
    expect(new Set(lines.map(({ traceId }) => traceId)).size).toBe(20);
    for (const { active } of lines) expect(active).toBeUndefined();
  });
});

import { Injectable } from '@nestjs/common';
import { EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { trace as api } from '@opentelemetry/api';
import type { tracing } from '@opentelemetry/sdk-node';
import {
  MetricsModule,
  OnLivekitEvent,
  OnSessionEvent,
  OutletsModule,
  RetryAfter,
} from '../../../src/index.js';
import type { BatchContext } from '../../../src/event-log/handlers/context.js';
import { type OutletReceiver, OutletReceiver as Receiver } from '../../support/outlet-receiver.js';
import { recordedSpans } from '../../support/recorded-spans.js';
import { type SessionHost, sessionHosts } from '../../support/session-host.js';

type Span = ReturnType<tracing.InMemorySpanExporter['getFinishedSpans']>[number];

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0';
const SECRET = 'a-secret-in-a-message';

@Injectable()
class Business {
  @OnLivekitEvent('room_finished', { name: 'archive' })
  archive(_: unknown, { attempt }: { attempt: number }): void {
    if (attempt === 1) throw new RetryAfter(1_000, SECRET);
  }

  @OnSessionEvent('session.settled', { name: 'billing' })
  bill(): void {}

  @OnLivekitEvent('*', { name: 'counts', batch: 100 })
  count(_: unknown[], __: BatchContext): void {}

  @OnEvent('livekit.room_finished')
  @OnEvent('session.settled')
  show(): void {
    api.getTracer('a host').startSpan('show').end();
  }
}

describe('one call', () => {
  const hosts = sessionHosts();
  const exporter = recordedSpans();
  let receiver: OutletReceiver;
  let host: SessionHost;

  beforeEach(async () => {
    exporter.reset();
    receiver = await Receiver.listen();
    const { url, secret } = receiver;
    const outlets = { webhook: { url, secret, allow: ['127.0.0.0/8'] } };
    host = await hosts.boot({
      providers: [Business],
      imports: [EventEmitterModule.forRoot(), OutletsModule.forRoot(outlets), MetricsModule.forRoot()],
    });
    await host.play('two-party-call');
    await host.pass(60_000);
  });

  afterEach(async () => {
    await receiver.close();
  });

  const spans = () => exporter.getFinishedSpans();
  const one = (name: string, isIt: (span: Span) => boolean = () => true): Span => {
    const found = spans().filter((span) => span.name === name && isIt(span));
    expect(found).toHaveLength(1);
    return found[0] as Span;
  };
  const parentOf = (span: Span): Span | undefined =>
    spans().find((other) => other.spanContext().spanId === span.parentSpanContext?.spanId);
  const told =
    (name: string) =>
    ({ attributes }: Span): boolean =>
      attributes['livekit.event'] === name;

  test('is followed from the webhook that ends it to the bill and the outlet, in one trace', async () => {
    const sent = one('send livekit_events', told('room_finished'));
    const received = parentOf(sent);
    expect(received?.name).toBe('POST /voice/livekit/webhooks');
    expect(received?.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'livekit.webhook.outcome': 'accepted',
    });
    const trace = spans().filter((span) => span.spanContext().traceId === sent.spanContext().traceId);
    const names = trace.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'route livekit_events',
        'process archive',
        'update session',
        'process billing',
        'process outlet.webhook',
      ]),
    );
    const billed = one('process billing');
    expect(parentOf(billed)).toMatchObject({
      name: 'update session',
      attributes: { 'livekit.session.events': ['session.settled'] },
    });
    expect(trace).toContain(billed);
  });

  test('shows an attempt that failed, and the next one linked to it', () => {
    const isAttempt = (attempt: number) => (span: Span) =>
      span.attributes['livekit.delivery.attempt'] === attempt;
    const failed = one('process archive', isAttempt(1));
    const retried = one('process archive', isAttempt(2));
    expect(failed.status.code).toBe(2);
    expect(failed.attributes['error.type']).toBe('RetryAfter');
    expect(retried.links.map(({ context }) => context.spanId)).toEqual([failed.spanContext().spanId]);
    expect(retried.parentSpanContext?.spanId).toBe(failed.parentSpanContext?.spanId);
  });

  test('is a link of the batches that it is in, each of which is a trace of its own', () => {
    const batches = spans().filter(({ name }) => name === 'process counts');
    expect(batches.length).toBeGreaterThan(0);
    const linked = batches.flatMap(({ links }) => links.map(({ context }) => context.spanId));
    const sent = spans().filter(({ name }) => name === 'send livekit_events');
    expect(linked.sort()).toEqual(sent.map((span) => span.spanContext().spanId).sort());
    for (const batch of batches) expect(batch.parentSpanContext).toBeUndefined();
  });

  test('goes on in what its listeners do', () => {
    const shown = spans().filter(({ name }) => name === 'show');
    expect(shown.map((span) => parentOf(span)?.name).sort()).toEqual([
      'send livekit_events',
      'update session',
    ]);
  });

  test('leaves no trace of what was said in it', () => {
    const everything = JSON.stringify(
      spans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
    );
    for (const secret of [SECRET, 'caller-1001', 'call-1001']) expect(everything).not.toContain(secret);
  });

  test('is an exemplar of what is measured, on OpenMetrics only', async () => {
    const url = `${await host.app.getUrl()}/metrics`;
    const open = await (await fetch(url, { headers: { accept: OPEN_METRICS } })).text();
    const known = new Set(spans().map((span) => span.spanContext().traceId));
    for (const name of ['livekit_webhook_receive_seconds', 'livekit_handler_run_seconds']) {
      const exemplar = new RegExp(
        `^${name}_bucket\\{.*\\} \\d+ # \\{trace_id="(.*)"\\} [\\d.e-]+ [\\d.]+$`,
        'm',
      );
      expect(known).toContain(exemplar.exec(open)?.[1]);
    }
    expect(await (await fetch(url)).text()).not.toContain('trace_id');
  });

  test('is told to whom an outlet tells its events', () => {
    const settled = receiver.received.find(({ body }) => body.includes('"type":"session.settled"'));
    const trace = one('process billing').spanContext().traceId;
    expect(settled?.headers['traceparent']).toContain(trace);
    expect(JSON.parse(settled?.body ?? '').traceparent).toContain(trace);
  });
});

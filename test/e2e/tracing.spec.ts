import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import { deliveries } from '../support/captures.js';
import { Collector } from '../support/collector.js';
import { emptyDatabase, type FreshDatabase, onPostgres } from '../support/database.js';
import { answering, OutletReceiver } from '../support/outlet-receiver.js';
import { signWebhook } from '../../src/testing/sign-webhook.js';
import { TEST_KEY } from '../support/signing.js';
import { until } from '../support/until.js';

const body = deliveries('two-party-call')[0]?.body ?? '';

describe('the trace of a webhook', () => {
  let database: FreshDatabase;
  let collector: Collector;
  let receiver: OutletReceiver;

  beforeAll(buildApplication, 120_000);

  beforeEach(async () => {
    database = await emptyDatabase();
    collector = await Collector.listen();
    receiver = await OutletReceiver.listen();
  });

  afterEach(async () => {
    await killApplications();
    await receiver.close();
    await collector.close();
    await database.drop();
  });

  const start = (role: string) =>
    ApplicationProcess.start(database.url, {
      ...collector.env,
      ROLE: onPostgres ? role : 'all',
      OUTLET_EVENTS: 'livekit.*',
      OUTLET_WEBHOOK_URL: receiver.url,
      OUTLET_WEBHOOK_SECRET: receiver.secret,
      OUTLET_WEBHOOK_ALLOW: '127.0.0.0/8',
    });
  const post = ({ url }: ApplicationProcess) =>
    fetch(`${url}/voice/livekit/webhooks`, { method: 'POST', body, headers: signWebhook(body, TEST_KEY) });
  const spans = (name: string, count = 1) =>
    until(`${count} of \`${name}\``, () => {
      const found = collector.spans.filter((span) => span.name === name);
      return found.length >= count ? found : undefined;
    });

  test('goes on in another process, and after a restart', async () => {
    receiver.answer = answering(500);
    const edge = await start('edge');
    let worker = onPostgres ? await start('worker') : edge;
    const answer = await post(edge);
    expect(answer.status).toBe(200);
    const [failed] = await spans('process outlet.webhook');
    expect(failed).toMatchObject({
      attributes: { 'livekit.delivery.attempt': 1, 'error.type': 'OutletError' },
    });
    await worker.stop();
    receiver.answer = answering(204);
    worker = await start('worker');
    const [, retried] = await spans('process outlet.webhook', 2);
    const [received] = await spans('POST /voice/livekit/webhooks');
    const [sent] = await spans('send livekit_events');
    expect(retried).toMatchObject({ traceId: received?.traceId, parentSpanId: sent?.spanId });
    expect(sent?.parentSpanId).toBe(received?.spanId);
    expect(retried?.links).toMatchObject([{ traceId: failed?.traceId, spanId: failed?.spanId }]);
    expect(receiver.received.at(-1)?.headers['traceparent']).toBe(
      `00-${retried?.traceId}-${retried?.spanId}-01`,
    );
    expect(JSON.parse(receiver.received.at(-1)?.body ?? '')).toMatchObject({
      traceparent: `00-${sent?.traceId}-${sent?.spanId}-01`,
    });
    const line = edge.log.split('\n').find((each) => each.includes('"outcome":"'));
    expect(line).toContain(`"traceId":"${received?.traceId}"`);
    await worker.stop();
  });

  test('is not begun unless it is asked for', async () => {
    const application = await ApplicationProcess.start(database.url, {
      ...collector.env,
      OTEL_SDK_DISABLED: 'true',
    });
    await post(application);
    expect(await application.stop()).toEqual({ code: 0, signal: null });
    expect(collector.bodies).toEqual([]);
    expect(application.log).not.toContain('traceId');
  });

  test('is asked for with variables that the SDK does not take: the application says so, not what they are', async () => {
    const application = ApplicationProcess.launch(database.url, {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'open sesame',
    });
    expect(await application.exited).toEqual({ code: 1, signal: null });
    expect(application.log).toContain("OTEL_…: OpenTelemetry's SDK does not start with these variables");
    expect(application.log).not.toContain('sesame');
  });
});

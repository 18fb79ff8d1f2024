import type { Registry } from 'prom-client';
import { EventLog } from '../../../src/event-log/event-log.js';
import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { MetricsModule } from '../../../src/metrics/metrics.module.js';
import { METRICS_REGISTRY } from '../../../src/metrics/metrics.registry.js';
import { SessionsModule } from '../../../src/sessions/sessions.module.js';
import { signWebhook } from '../../../src/testing/sign-webhook.js';
import { handlerOf } from '../../support/handlers.js';
import { bootHost, type Host } from '../../support/host.js';
import { chunks } from '../../support/batches.js';
import { until } from '../../support/until.js';
import { webhook } from '../../support/webhook.js';
import { webhookBody } from '../../../src/testing/webhook-body.js';

const SOME = 300;
const THOUSANDS = 2_000;
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

const PROJECTS = numbers(SOME).map((n) => ({
  name: `project-${n}`,
  apiKey: `API${n}`,
  apiSecret: `the-secret-of-project-${n}-0123456789abcdef`,
}));

describe('a flood of names', () => {
  let host: Host;

  afterEach(() => host.close());

  /** Sends an event as one of the projects. */
  async function send(n: number, body: string): Promise<void> {
    const key = PROJECTS[n % SOME] as (typeof PROJECTS)[number];
    const { Authorization: authorization } = signWebhook(body, { ...key, now: host.clock.now() });
    const { status } = await host.deliver(body, { headers: { authorization: authorization ?? null } });
    expect(status).toBe(200);
  }

  /** The values that a label of a metric has. */
  async function valuesOf(registry: Registry, metric: string, label: string): Promise<string[]> {
    const text = await registry.getSingleMetricAsString(metric);
    return [
      ...new Set([...text.matchAll(new RegExp(`[{,]${label}="(.*?)"`, 'g'))].map(([, value = '']) => value)),
    ];
  }

  test('leaves every label with as many values as it may have, and `other` for the rest', async () => {
    host = await bootHost('fastify', {
      webhooks: { projects: PROJECTS },
      imports: [
        SessionsModule.forRoot({ disposition: ({ roomName }) => `word-${roomName}` }),
        MetricsModule.forRoot(),
      ],
      providers: numbers(SOME).map((n) => handlerOf(`handler-${n}`, undefined, { kind: 'app' })),
    });
    const { app } = host;
    for (const some of chunks(numbers(THOUSANDS), 50)) {
      await Promise.all(some.map((n) => send(n, webhook({ event: `event-${n}` }))));
    }
    for (const n of numbers(60)) {
      const room = { sid: `RM_${n}`, name: `call-${n}` };
      for (const event of ['room_started', 'room_finished'] as const)
        await send(n, webhookBody({ event, room }, host.clock));
    }
    await host.rows(`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${THOUSANDS})
      INSERT INTO livekit_handlers (name, patterns, ordered, blocking, first_seen, last_seen)
      SELECT 'elsewhere-' || n, '[]', false, false, 0, 0 FROM n`);
    await app.get(EventLog).append('tick', null);
    await app.get(Deliveries).drain();
    const registry = app.get<Registry>(METRICS_REGISTRY);
    await until('the sessions to be counted', async () =>
      /session_events_total\{event="session.ended",disposition="other"\} \d/.test(await registry.metrics()),
    );
    for (const [metric, label, most] of [
      ['livekit_webhook_requests_total', 'project', 100],
      ['livekit_delivery_attempts_total', 'handler', 200],
      ['livekit_deliveries_pending', 'handler', 200],
      ['livekit_session_events_total', 'disposition', 50],
    ] as const) {
      const values = (await valuesOf(registry, metric, label)).filter((value) => value !== 'none');
      expect([metric, values.length]).toEqual([metric, most + 1]);
      expect(values).toContain('other');
    }
    const events = await valuesOf(registry, 'livekit_webhook_requests_total', 'event');
    expect(events).toContain('other');
    expect(events.filter((event) => event.startsWith('event-'))).toEqual([]);
    expect(await registry.metrics()).not.toMatch(/RM_|PA_|caller-1/);
  }, 120_000);
});

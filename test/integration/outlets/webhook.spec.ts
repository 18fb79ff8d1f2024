import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFileSync } from 'node:fs';
import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { HealthModule } from '../../../src/health/health.module.js';
import { MetricsModule } from '../../../src/metrics/metrics.module.js';
import { OutletError } from '../../../src/outlets/errors.js';
import { OutletsModule } from '../../../src/outlets/outlets.module.js';
import {
  type OutletsModuleOptions,
  resolveSettings,
  type WebhookOutletSettings,
} from '../../../src/outlets/outlets.options.js';
import { WebhookPublisher } from '../../../src/outlets/webhook/webhook.publisher.js';
import { SESSION_EVENT_NAMES } from '../../../src/sessions/events/session-events.js';
import { testOnPostgres } from '../../support/only-on.js';
import { outOfOrder, publishedIds } from '../../support/outlet-events.js';
import { answering, OutletReceiver, type ReadEvent } from '../../support/outlet-receiver.js';
import { type SessionHost, sessionHosts, without } from '../../support/session-host.js';
import { until } from '../../support/until.js';

const HANDLER = 'outlet.webhook';
/** Few that have every kind of event between them; corrections are made of what comes late. */
const SCENARIOS = ['recorded-call', 'sip-caller', 'reused-room-name'];
const schemas = ['session-events', 'outlet-events'].map(
  (name) => JSON.parse(readFileSync(`docs/${name}.schema.json`, 'utf8')) as { $id: string },
);

describe('the outlet webhook', () => {
  const hosts = sessionHosts();
  let receiver: OutletReceiver;

  beforeEach(async () => {
    receiver = await OutletReceiver.listen();
  });

  afterEach(() => receiver.close());

  const boot = (
    webhook: Partial<OutletsModuleOptions['webhook']> = {},
    events?: string[],
  ): Promise<SessionHost> =>
    hosts.boot({
      webhook: { deliveries: { drainTimeout: 0 } },
      imports: [
        OutletsModule.forRoot({
          webhook: { url: receiver.url, secret: receiver.secret, allow: ['127.0.0.1'], ...webhook },
          events,
        }),
        MetricsModule.forRoot(),
        HealthModule.forRoot(),
      ],
    });
  const deliveriesOf = async ({ app }: SessionHost) =>
    (await app.get(Deliveries).list({ handler: HANDLER, limit: 200 })).deliveries.toReversed();
  const statesOf = async (host: SessionHost) => (await deliveriesOf(host)).map(({ state }) => state);
  const getText = async (host: SessionHost, path: string) =>
    (await fetch(`${await host.app.getUrl()}${path}`)).text();

  test('posts everything that recorded calls cause: signed, by the schema, once, in the order of each room', async () => {
    const host = await boot({}, ['*']);
    await host.service.expect('nobody-comes', { metadata: { any: ['thing'] }, expiresIn: 1_000 });
    for (const scenario of SCENARIOS) await host.play(scenario, without('participant_left'));
    await host.pass(3_600_000);
    for (const scenario of SCENARIOS) await host.play(scenario);
    const events = receiver.events();
    expect(receiver.received).toHaveLength(events.length);
    expect(events.map(({ id }) => id).toSorted()).toEqual((await publishedIds(hosts.url)).toSorted());
    expect(await outOfOrder(hosts.url, events)).toEqual([]);

    const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, formats: { uri: true } });
    for (const schema of schemas) ajv.addSchema(schema);
    const isEvent = ajv.getSchema(schemas[1]?.$id ?? '');
    const types = new Set(events.map(({ type }) => type));
    for (const name of SESSION_EVENT_NAMES) expect(types).toContain(name);
    for (const { body } of receiver.received) {
      const event = JSON.parse(body) as { type: string; dataschema: string; data: unknown };
      isEvent?.(event);
      expect([event.type, isEvent?.errors ?? []]).toEqual([event.type, []]);
      expect(ajv.getSchema(event.dataschema)?.(event.data)).toBe(true);
    }
  }, 180_000);

  test('publishes only what it is told to: session events unless told', async () => {
    const host = await boot();
    await host.play('two-party-call');
    expect(receiver.events().map(({ id }) => id)).toEqual(await publishedIds(hosts.url, ['session']));
    await hosts.stop(host);
    const narrow = await boot({}, ['session.settled', 'livekit.room_*']);
    receiver.received.length = 0;
    await narrow.play('recorded-call');
    await narrow.pass(3_600_000);
    expect(new Set(receiver.events().map(({ type }) => type))).toEqual(
      new Set(['livekit.room_started', 'livekit.room_finished', 'session.settled']),
    );
  });

  test('signs with every secret while one takes the place of another', async () => {
    const next = `whsec_${Buffer.alloc(24, 'next').toString('base64')}`;
    const host = await boot({ secrets: [next] });
    await host.play('two-party-call');
    expect(receiver.events(receiver.secret).length).toBeGreaterThan(4);
    expect(receiver.events(next)).toEqual(receiver.events());
  });

  test('gives up what is answered 410, and goes on with the next', async () => {
    const host = await boot({}, ['livekit.room_*']);
    receiver.answer = (webhook, response) =>
      answering(webhook.body.includes('room_started') ? 410 : 200)(webhook, response);
    await host.play('two-party-call');
    const [first] = await deliveriesOf(host);
    expect(await statesOf(host)).toEqual(['dead', 'done']);
    expect(first?.error).toMatch(/410 \(Gone\): it wants no more events/);
    expect(first?.attempt).toBe(1);
  });

  test('waits as long as a 429 asks for, and keeps the order of the room meanwhile', async () => {
    const host = await boot({}, ['livekit.room_*']);
    receiver.answer = answering(429, { 'retry-after': '120' });
    await host.play('two-party-call');
    await host.pass(60_000);
    expect(receiver.received).toHaveLength(1);
    receiver.answer = answering(200);
    await host.pass(60_000);
    expect(receiver.received.map(({ body }) => (JSON.parse(body) as ReadEvent).type)).toEqual([
      'livekit.room_started',
      'livekit.room_started',
      'livekit.room_finished',
    ]);
    expect(await statesOf(host)).toEqual(['done', 'done']);
  });

  test('tries no more often than ever where a 503 asks for a second each time', async () => {
    const host = await boot({}, ['livekit.room_started']);
    receiver.answer = answering(503, { 'retry-after': '1' });
    await host.play('two-party-call');
    for (let second = 0; second < 60; second += 1) await host.pass(1_000);
    expect(receiver.received.length).toBeGreaterThan(4);
    expect(receiver.received.length).toBeLessThan(9);
  });

  test('follows no redirect', async () => {
    const other = await OutletReceiver.listen();
    const host = await boot({}, ['livekit.room_started']);
    receiver.answer = answering(307, { location: other.url });
    await host.play('two-party-call');
    expect((await deliveriesOf(host))[0]?.error).toMatch(/answered 307, and redirects are not followed/);
    expect(other.received).toEqual([]);
    await other.close();
  });

  test('does not connect to what a name leads to unless that is allowed', async () => {
    const host = await boot({ url: `https://localhost:${receiver.port}/`, allow: [] }, [
      'livekit.room_started',
    ]);
    await host.play('two-party-call');
    expect((await deliveriesOf(host))[0]?.error).toMatch(/`localhost` is at no address that may be reached/);
    expect(receiver.received).toEqual([]);
  });

  test('that is down delays what it publishes and no webhook, is seen to be, and recovers by itself', async () => {
    const host = await boot({}, ['livekit.room_*']);
    const { port } = receiver;
    await receiver.close();
    await host.play('two-party-call');
    expect(await statesOf(host)).toEqual(['pending', 'pending']);
    expect((await host.session()).state).toBe('ended');
    expect(JSON.parse(await getText(host, '/health'))).toMatchObject({
      status: 'error',
      error: { outlets: { webhook: { status: 'down', message: expect.stringMatching(/ECONNREFUSED/) } } },
    });
    expect(JSON.parse(await getText(host, '/health/ready'))).toMatchObject({ status: 'ok' });
    expect(await getText(host, '/metrics')).toContain('livekit_outlet_up{outlet="webhook"} 0');
    expect(host.logger.of('Outlets')).toMatchObject([
      { message: 'an outlet is down, and what it has to publish waits', outlet: 'webhook' },
    ]);

    receiver = await OutletReceiver.listen(port);
    await host.pass(300_000);
    expect(receiver.events()).toHaveLength(2);
    expect(await statesOf(host)).toEqual(['done', 'done']);
    expect(JSON.parse(await getText(host, '/health'))).toMatchObject({ status: 'ok' });
    const metrics = await getText(host, '/metrics');
    expect(metrics).toContain('livekit_outlet_up{outlet="webhook"} 1');
    expect(metrics).toContain('livekit_outlet_attempts_total{outlet="webhook",outcome="published"} 2');
    expect(host.logger.of('Outlets').at(-1)).toEqual({ message: 'an outlet is up again', outlet: 'webhook' });
  });

  testOnPostgres(
    'that failed in one process, and was then published by another, is down in neither',
    async () => {
      receiver.answer = answering(500);
      const one = await boot({}, ['livekit.room_started']);
      await one.tester.deliver({ event: 'room_started', room: { name: 'call' } });
      await one.tester.drain();
      const outlets = async () =>
        (JSON.parse(await getText(one, '/health')) as { details: { outlets: unknown } }).details.outlets;
      expect(await outlets()).toMatchObject({ status: 'down', webhook: { status: 'down' } });
      receiver.answer = answering(200);
      const other = await boot({}, ['livekit.room_started']);
      await other.pass(60_000);
      expect(await statesOf(one)).toEqual(['done']);
      expect(await outlets()).toEqual({ status: 'up', webhook: { status: 'up' } });
    },
  );

  test('that is stopped lets go of a receiver that does not answer, and posts again after the start', async () => {
    const host = await boot({}, ['livekit.room_started']);
    receiver.answer = () => undefined;
    const [started] = await Promise.all([
      until('the webhook to come', () => receiver.received[0]),
      host.tester.deliver({ event: 'room_started', id: 'EV_1', room: { sid: 'RM_1', name: 'call' } }),
    ]);
    const stopping = hosts.stop(host);
    receiver.answer = answering(200);
    await stopping;
    const again = await boot({}, ['livekit.room_started']);
    await again.tester.drain();
    expect(receiver.received.map(({ body }) => body)).toEqual([started.body, started.body]);
  });

  describe('and a receiver that takes its time', () => {
    const event = { id: 'default/EV_1', type: 'livekit.x', address: 'livekit.default.x', json: '{}' };
    const attempt = { signal: new AbortController().signal, backoff: 1_000 };
    const publisherOf = (patience: number): WebhookPublisher => {
      const options = { url: receiver.url, secret: receiver.secret, allow: ['127.0.0.1'] };
      const { webhook } = resolveSettings({ webhook: options });
      return new WebhookPublisher(webhook as WebhookOutletSettings, patience);
    };
    const post = async (patience: number): Promise<void> => {
      const publisher = publisherOf(patience);
      try {
        await publisher.publish(event, attempt);
      } finally {
        await publisher.close();
      }
    };

    test('keeps no connection that is idle for longer than that: a firewall might have forgotten it', async () => {
      const publisher = publisherOf(1_000);
      await Promise.all([1, 2, 3].map(() => publisher.publish(event, attempt)));
      await until('no connection to be left', async () => (await receiver.connections()) === 0);
      await publisher.publish(event, attempt);
      await publisher.close();
    });

    test('gives up when it does not answer', async () => {
      receiver.answer = () => undefined;
      await expect(post(50)).rejects.toThrow(/has not answered within 50 ms/);
    });

    test('does not wait where it wants to speak something else', async () => {
      receiver.answer = (_, response) =>
        void response.socket?.end(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\n',
        );
      await expect(post(30_000)).rejects.toThrow(OutletError);
    });

    test('does not wait for more than its status', async () => {
      receiver.answer = (_, response) => {
        response.writeHead(200);
        // On Node 26 a write to whoever has gone fails at once, and for good, before `destroyed` says so.
        const more = (failed?: unknown): void => void (failed || response.write('x'.repeat(65_536), more));
        more();
      };
      await post(30_000);
    });
  });
});

import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { FailDelivery } from '../../../src/event-log/handlers/outcomes.js';
import { OutletError } from '../../../src/outlets/errors.js';
import { JetstreamPublisher } from '../../../src/outlets/jetstream.publisher.js';
import type { Publisher } from '../../../src/outlets/outlet.js';
import { OutletStates } from '../../../src/outlets/outlet-states.js';
import { OutletsModule } from '../../../src/outlets/outlets.module.js';
import type { OutletsModuleOptions } from '../../../src/outlets/outlets.options.js';
import { RedisPublisher } from '../../../src/outlets/redis.publisher.js';
import { TcpProxy } from '../../fault/tcp-proxy.js';
import {
  describeWithBrokers,
  type FoundEvent,
  NATS_URL,
  NatsConsumer,
  ownProject,
  REDIS_URL,
  RedisConsumer,
} from '../../support/brokers.js';
import { CAPTURE_KEY } from '../../support/captures.js';
import { publishedIds } from '../../support/outlet-events.js';
import { type SessionHost, sessionHosts } from '../../support/session-host.js';
import { until } from '../../support/until.js';

const DAY = 86_400;
const event = { id: 'default/EV_1', type: 'livekit.x', json: '{}' };

describeWithBrokers('an outlet to a broker', () => {
  const hosts = sessionHosts();
  let nats: NatsConsumer;
  let redis: RedisConsumer;
  let project: string;

  beforeAll(async () => {
    nats = await NatsConsumer.connect();
    redis = new RedisConsumer();
  });

  beforeEach(() => (project = ownProject()));

  afterEach(async () => {
    await nats.forget(project);
    await redis.forget(project);
  });

  afterAll(async () => {
    await nats.close();
    redis.close();
  });

  const boot = (outlets: OutletsModuleOptions, events?: string[]): Promise<SessionHost> =>
    hosts.boot({
      webhook: {
        projects: [{ name: project, ...CAPTURE_KEY }],
        apiKey: undefined,
        apiSecret: undefined,
      } as object,
      imports: [OutletsModule.forRoot({ ...outlets, events })],
    });
  const statesOf = async ({ app }: SessionHost) =>
    (await app.get(Deliveries).list({ limit: 200 })).deliveries
      .filter(({ handler }) => handler.startsWith('outlet.'))
      .map(({ state }) => state);
  const inOrder = (found: readonly FoundEvent[]): string[] => found.map(({ id }) => id).toSorted();

  const expectAllOf = async (found: readonly FoundEvent[]): Promise<void> => {
    expect(inOrder(found)).toEqual((await publishedIds(hosts.url)).toSorted());
    for (const { id, messageId, address, type, source } of found) {
      const [family, ...name] = type.split('.');
      expect({ messageId, address, source }).toEqual({
        messageId: id,
        address: `${family}.${project}.${name.join('.')}`,
        source: `/livekit/projects/${project}`,
      });
    }
  };

  test('publishes to JetStream and to Redis Streams what their own clients read: everything, once', async () => {
    const host = await boot({ jetstream: { url: NATS_URL }, redis: { url: REDIS_URL } }, ['*']);
    for (const scenario of ['recorded-call', 'sip-caller']) await host.play(scenario);
    await host.pass(3_600_000);
    await expectAllOf(await nats.read(project));
    await expectAllOf(await redis.read(project));
    const settled = await redis.client.xlen(`session.${project}.settled`);
    expect(settled).toBe(2);
    expect(await nats.streams(project)).toEqual([`livekit-${project}`, `session-${project}`]);
    const { config } = await (await nats.manager).streams.info(`session-${project}`);
    expect(config).toMatchObject({
      subjects: [`session.${project}.>`],
      storage: 'file',
      max_age: 7 * DAY * 1e9,
      max_bytes: 1024 ** 3,
    });
    expect(host.logger.of('Outlets')).toContainEqual({
      message: 'a stream of JetStream was made',
      stream: `session-${project}`,
      subject: `session.${project}.>`,
      detail: expect.stringMatching(/7 days and 1 GiB/),
    });
  });

  describe('JetStream', () => {
    test('publishes to the stream that its operator made, and makes none', async () => {
      const { streams } = await nats.manager;
      const subjects = [`session.${project}.>`, `livekit.${project}.>`];
      await streams.add({ name: `own-${project}`, subjects, max_msgs: 1_000 });
      const host = await boot({ jetstream: { url: NATS_URL } }, ['*']);
      await host.play('two-party-call');
      expect(await nats.streams(project)).toEqual([`own-${project}`]);
      const found = await nats.read(project);
      await expectAllOf(found);
      expect(found.map(({ id }) => id)).toEqual(await publishedIds(hosts.url)); // one stream: one order
    });

    test('makes its stream again when it is deleted', async () => {
      const host = await boot({ jetstream: { url: NATS_URL } }, ['livekit.room_*']);
      await host.play('two-party-call');
      await nats.forget(project);
      await host.play('recorded-call');
      await host.pass(10_000);
      expect(await nats.read(project)).toHaveLength(2);
      expect(new Set(await statesOf(host))).toEqual(new Set(['done']));
    });

    test('says what to do where a stream has some of the subjects, and not all', async () => {
      const { streams } = await nats.manager;
      await streams.add({ name: `own-${project}`, subjects: [`livekit.${project}.room_started`] });
      const host = await boot({ jetstream: { url: NATS_URL } }, ['livekit.room_*']);
      await host.play('two-party-call');
      expect((await statesOf(host)).toSorted()).toEqual(['done', 'pending']);
      expect(host.app.get(OutletStates).all.get('jetstream')).toMatchObject({
        status: 'down',
        message: expect.stringMatching(/no stream takes it, .*let one of yours take that subject/),
      });
    });

    test('gives up an event that is larger than the server takes', async () => {
      const publisher = await JetstreamPublisher.load({ servers: [NATS_URL] });
      const large = { ...event, address: `livekit.${project}.x`, json: 'x'.repeat(2 ** 21) };
      await expect(publisher.publish(large)).rejects.toThrow(FailDelivery);
      await publisher.close();
    });
  });

  test('cuts Redis Streams off at their length', async () => {
    const publisher = await RedisPublisher.load({ url: REDIS_URL, maxLength: 10 });
    const address = `livekit.${project}.x`;
    await Promise.all(Array.from({ length: 500 }, () => publisher.publish({ ...event, address })));
    expect(await redis.client.xlen(address)).toBeLessThan(200);
    await publisher.close();
  });

  test('publishes to no other database of Redis than its own', async () => {
    const url = new URL(REDIS_URL);
    url.pathname = '/9999'; // no server has as many
    const publisher = await RedisPublisher.load({ url: url.href, maxLength: 10 });
    const address = `livekit.${project}.x`;
    await expect(publisher.publish({ ...event, address })).rejects.toThrow(OutletError);
    expect(await redis.keys(project)).toEqual([]);
    await publisher.close();
  });

  test.each<[string, string, (url: string) => Promise<Publisher>]>([
    ['NATS', NATS_URL, (url) => JetstreamPublisher.load({ servers: [url] }, 500)],
    ['Redis', REDIS_URL, (url) => RedisPublisher.load({ url, maxLength: 10 }, 500)],
  ])('connects to %s anew where its connection leads nowhere any more', async (_, url, load) => {
    const proxy = await TcpProxy.before(url);
    const publisher = await load(proxy.through(url));
    const publish = () =>
      publisher.publish(
        { ...event, address: `livekit.${project}.x` },
        { signal: new AbortController().signal, backoff: 1_000 },
      );
    await publish();
    proxy.forget();
    await expect(publish()).rejects.toThrow(OutletError);
    await until(
      'the event to be published',
      () =>
        publish().then(
          () => true,
          () => false,
        ),
      10_000,
    );
    await publisher.close();
    await proxy.close();
  });

  test.each<[string, string, (url: string) => OutletsModuleOptions]>([
    ['NATS', NATS_URL, (url) => ({ jetstream: { url } })],
    ['Redis', REDIS_URL, (url) => ({ redis: { url } })],
  ])('waits for %s that is not there, and refuses no webhook', async (broker, url, outlets) => {
    const proxy = await TcpProxy.before(url);
    await proxy.fail('refuse');
    const host = await boot(outlets(proxy.through(url)), ['livekit.room_*']);
    await host.play('two-party-call');
    expect(await statesOf(host)).toEqual(['pending', 'pending']);
    const [state] = host.app.get(OutletStates).all.values();
    expect(state).toMatchObject({ status: 'down' });
    await proxy.mend();
    await until(`everything to be published on ${broker}`, async () => {
      await host.pass(300_000);
      return !(await statesOf(host)).includes('pending');
    });
    expect([...(await nats.read(project)), ...(await redis.read(project))]).toHaveLength(2);
    expect([...host.app.get(OutletStates).all.values()]).toEqual([{ status: 'up' }]);
    await proxy.close();
  });
});

import { randomInt } from 'node:crypto';
import type { ApplicationProcess } from '../support/application-process.js';
import {
  type FoundEvent,
  NATS_URL,
  NatsConsumer,
  ownProject,
  REDIS_URL,
  RedisConsumer,
} from '../support/brokers.js';
import { onPostgres, sqlQuery } from '../support/database.js';
import { outOfOrder, publishedIds } from '../support/outlet-events.js';
import { answering, OutletReceiver } from '../support/outlet-receiver.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { callsAtOnce, type Random } from './calls.js';
import { buildHost, HostProcesses, removeHost } from './host-processes.js';
import { AT_ONCE } from './kills.js';
import { Sender } from './sender.js';
import { TcpProxy } from './tcp-proxy.js';

/** In each, a process is killed for every target: there are three on PostgreSQL, one on SQLite. */
const ROUNDS = process.env['TEST_LONG'] === '1' ? 200 : onPostgres ? 2 : 5;
/** Everything that was ever published is read again and again: a store lives no longer. */
const ROUNDS_PER_STORE = 5;
const SEED = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
const CALLS = 2;

/** Where an outlet publishes to, and what has arrived there. */
interface Target {
  name: 'webhook' | 'jetstream' | 'redis';
  options: object;
  /** Takes what comes, and says so to nobody. */
  mute(): Promise<void>;
  speak(): Promise<void>;
  /** Everything that has arrived, repeats too. */
  read(): Promise<{ id: string }[]>;
  close(): Promise<void>;
}

beforeAll(buildHost, 120_000);
afterAll(removeHost);

test(
  'outlets that are killed between publishing and its acknowledgement publish everything; who goes by ids has each once, in order',
  async () => {
    const random = seededRandom(SEED);
    const figures: Figures = {};
    try {
      for (let left = ROUNDS; left > 0; left -= ROUNDS_PER_STORE) {
        await liveAndDie(Math.min(left, ROUNDS_PER_STORE), random, figures);
      }
    } finally {
      process.stdout.write(
        `outlets under kill -9 on ${onPostgres ? 'PostgreSQL' : 'SQLite'} (TEST_SEED=${SEED}): ${JSON.stringify(figures)}\n`,
      );
    }
  },
  120_000 + ROUNDS * 90_000,
);

type Figures = Record<string, { kills: number; published: number; repeats: number }>;

async function liveAndDie(rounds: number, random: Random, figures: Figures): Promise<void> {
  const project = ownProject();
  const targets = await targetsOf(project);
  const outlets = Object.fromEntries(targets.map(({ name, options }) => [name, options]));
  const hosts = await HostProcesses.onFreshDatabase({
    program: 'outlet-host',
    env: { FAULT_PROJECT: project, FAULT_OUTLETS: JSON.stringify({ ...outlets, events: ['*'] }) },
  });
  let host: ApplicationProcess;
  const sender = new Sender(() => host.url);
  try {
    host = await hosts.start();
    for (let round = 0; round < rounds; round += 1) {
      for (const target of targets) {
        const before = await doneBy(target);
        await sender.sendAll(callsAtOnce(random, CALLS), AT_ONCE);
        // Muted while this process still connects, it could publish nothing.
        await until(`${target.name} to publish`, async () => (await doneBy(target)) > before);
        await target.mute();
        await sender.sendAll(callsAtOnce(random, CALLS), AT_ONCE);
        await until(
          `${target.name} to have published what it does not know of`,
          async () => distinct(await target.read()).length > (await doneBy(target)),
        );
        await host.kill();
        await target.speak();
        host = await hosts.start();
        await sender.sendWhatIsLeft();
      }
    }
    for (const target of targets) {
      await until(
        `${target.name} to publish everything`,
        async () =>
          String(distinct(await target.read()).toSorted()) ===
          String((await publishedIds(hosts.databaseUrl)).toSorted()),
        90_000,
      );
      const all = await target.read();
      const firsts = distinct(all).map((id) => ({ id }));
      const { kills, published, repeats } = figures[target.name] ?? { kills: 0, published: 0, repeats: 0 };
      figures[target.name] = {
        kills: kills + rounds,
        published: published + firsts.length,
        repeats: repeats + all.length - firsts.length,
      };
      // JetStream drops repeats itself; from several streams and keys there is no one order.
      if (target.name !== 'jetstream') expect(all.length).toBeGreaterThan(firsts.length);
      if (target.name === 'webhook') expect(await outOfOrder(hosts.databaseUrl, firsts)).toEqual([]);
    }
    expect(await host.stop()).toEqual({ code: 0, signal: null });
  } finally {
    sender.close();
    await hosts.remove();
    for (const target of targets) await target.close();
  }

  async function doneBy({ name }: Target): Promise<number> {
    const [row] = await sqlQuery<{ n: number | string }>(
      hosts.databaseUrl,
      "SELECT count(*) AS n FROM livekit_deliveries WHERE state = 'done' AND handler = ?",
      [`outlet.${name}`],
    );
    return Number(row?.n);
  }
}

const distinct = (events: readonly { id: string }[]): string[] => [...new Set(events.map(({ id }) => id))];

/** On SQLite what needs no service; all of them on PostgreSQL. */
async function targetsOf(project: string): Promise<Target[]> {
  const webhook = await webhookTarget();
  if (!onPostgres) return [webhook];
  const nats = await NatsConsumer.connect();
  const redis = new RedisConsumer();
  return [
    webhook,
    await brokerTarget('jetstream', NATS_URL, {
      read: () => nats.read(project),
      forget: () => nats.forget(project),
      close: () => nats.close(),
    }),
    await brokerTarget('redis', REDIS_URL, {
      read: () => redis.read(project),
      forget: () => redis.forget(project),
      close: async () => redis.close(),
    }),
  ];
}

async function webhookTarget(): Promise<Target> {
  const receiver = await OutletReceiver.listen();
  return {
    name: 'webhook',
    options: { url: receiver.url, secret: receiver.secret, allow: ['127.0.0.1'] },
    mute: async () => void (receiver.answer = () => undefined),
    speak: async () => void (receiver.answer = answering(204)),
    read: async () => receiver.received.map(({ body }) => JSON.parse(body) as { id: string }),
    close: () => receiver.close(),
  };
}

interface Consumer {
  read(): Promise<FoundEvent[]>;
  forget(): Promise<void>;
  close(): Promise<void>;
}

async function brokerTarget(name: 'jetstream' | 'redis', url: string, consumer: Consumer): Promise<Target> {
  const proxy = await TcpProxy.before(url);
  return {
    name,
    options: { url: proxy.through(url) },
    mute: () => proxy.fail('mute'),
    speak: () => proxy.mend(),
    read: () => consumer.read(),
    async close() {
      await proxy.close();
      await consumer.forget();
      await consumer.close();
    },
  };
}

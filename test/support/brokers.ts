import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { describeOnPostgres } from './only-on.js';
import { type ReadEvent, readCloudEvent } from './outlet-receiver.js';

/** Where the services of `npm run test:services` are. */
export const NATS_URL = process.env['TEST_NATS_URL'] ?? 'nats://127.0.0.1:4222';
export const REDIS_URL = process.env['TEST_REDIS_URL'] ?? 'redis://127.0.0.1:6379';

/** `describe` where brokers are available. */
export const describeWithBrokers = describeOnPostgres;

/** A LiveKit project that no other test has: subjects, streams and keys are its own. */
export const ownProject = (): string => `test-${randomUUID()}`;

/** An event as a consumer found it. */
export interface FoundEvent extends ReadEvent {
  /** Its subject, or its key. */
  address: string;
  /** What the broker has for its id. */
  messageId: string;
}

/** A consumer of JetStream, using NATS's own client. */
export class NatsConsumer {
  private constructor(readonly connection: NatsConnection) {}

  static async connect(): Promise<NatsConsumer> {
    return new NatsConsumer(await connect({ servers: NATS_URL }));
  }

  get manager() {
    return jetstreamManager(this.connection);
  }

  /** The streams that capture what is published of a project. */
  async streams(project: string): Promise<string[]> {
    const names: string[] = [];
    for await (const { config } of (await this.manager).streams.list(`*.${project}.>`))
      names.push(config.name);
    return names.sort();
  }

  /** What is in the streams of a project now. */
  async read(project: string): Promise<FoundEvent[]> {
    const found: FoundEvent[] = [];
    for (const name of await this.streams(project)) {
      const { state } = await (await this.manager).streams.info(name);
      if (state.messages === 0) continue;
      const consumer = await jetstream(this.connection).consumers.get(name);
      for await (const message of await consumer.fetch({ max_messages: state.messages, expires: 30_000 })) {
        expect(message.headers?.get('Content-Type')).toMatch(/^application\/cloudevents\+json/);
        const messageId = message.headers?.get('Nats-Msg-Id') ?? '';
        found.push({ ...own(readCloudEvent(message.string())), address: message.subject, messageId });
      }
    }
    return found;
  }

  /** Deletes the streams of a project. */
  async forget(project: string): Promise<void> {
    for (const name of await this.streams(project)) await (await this.manager).streams.delete(name);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

/** A consumer of Redis Streams, using a Redis client. */
export class RedisConsumer {
  readonly client = new Redis(REDIS_URL);

  /** The keys of a project. */
  async keys(project: string): Promise<string[]> {
    const keys = await this.client.keys(`*.${project}.*`);
    return keys.sort();
  }

  /** What is in the streams of a project now. */
  async read(project: string): Promise<FoundEvent[]> {
    const found: FoundEvent[] = [];
    for (const address of await this.keys(project)) {
      for (const [, fields] of await this.client.xrange(address, '-', '+')) {
        const at = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
        const event = own(readCloudEvent(at('event')));
        expect(at('type')).toBe(event.type);
        found.push({ ...event, address, messageId: at('id') });
      }
    }
    return found;
  }

  /** Deletes the keys of a project. */
  async forget(project: string): Promise<void> {
    const keys = await this.keys(project);
    if (keys.length > 0) await this.client.del(...keys);
  }

  close(): void {
    this.client.disconnect();
  }
}

const own = ({ id, source, type, subject, data }: ReadEvent): ReadEvent => ({
  id,
  source,
  type,
  ...(subject !== undefined && { subject }),
  data,
});

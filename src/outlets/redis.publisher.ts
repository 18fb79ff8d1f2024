import type { Redis } from 'ioredis';
import { importPeers } from '../optional-peer.js';
import { toldOf } from '../logging/error-fields.js';
import { isError } from '../tracing/spans.js';
import { traceHeaders } from '../tracing/trace-context.js';
import type { OutletEvent } from './cloud-event.js';
import { OutletError } from './errors.js';
import type { Publisher } from './outlet.js';
import type { RedisOutletSettings } from './outlets.options.js';

/** How long the server may take to answer, milliseconds. */
const PATIENCE = 5_000;

/** The longest wait before it connects again, milliseconds. */
const LONGEST_WAIT = 2_000;

/** What the client says of a command that was not answered. */
const TIMED_OUT = 'Command timed out';

/** Publishes to Redis Streams that are trimmed to a length. */
export class RedisPublisher implements Publisher {
  private connection: Redis | undefined;

  private constructor(
    private readonly settings: RedisOutletSettings,
    private readonly Client: typeof Redis,
    private readonly patience: number,
  ) {}

  /**
   * It does not connect before the first event.
   *
   * @param patience how long the server may take to answer, milliseconds.
   * @throws MissingPeerError
   */
  static async load(settings: RedisOutletSettings, patience = PATIENCE): Promise<RedisPublisher> {
    const { Redis } = await importPeers('the outlet redis', ['ioredis'], () => import('ioredis'));
    return new RedisPublisher(settings, Redis, patience);
  }

  async publish({ id, type, address, json }: OutletEvent): Promise<void> {
    const { maxLength } = this.settings;
    const connection = this.connected();
    try {
      const { db = 0 } = connection.options;
      // A client that may not select its database tells nobody, and goes on in the first one.
      if (db !== 0) await connection.select(db);
      await connection.xadd(
        address,
        'MAXLEN',
        '~',
        maxLength,
        '*',
        'id',
        id,
        'type',
        type,
        'event',
        json,
        ...Object.entries(traceHeaders()).flat(),
      );
    } catch (error) {
      if (isError(error) && error.message === TIMED_OUT) this.drop(connection);
      throw new OutletError(`Redis has not taken \`${address}\`: ${toldOf(error)}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    this.connection?.disconnect();
  }

  private connected(): Redis {
    return (this.connection ??= this.connect());
  }

  // Its server, or a firewall, may have forgotten it, which the kernel takes a quarter of an hour to find out.
  private drop(connection: Redis): void {
    connection.disconnect();
    if (this.connection === connection) this.connection = undefined;
  }

  private connect(): Redis {
    const connection = new this.Client(this.settings.url, {
      connectionName: 'nestjs-livekit-webhooks',
      connectTimeout: this.patience,
      commandTimeout: this.patience,
      maxRetriesPerRequest: 1,
      retryStrategy: (times) => Math.min(times * 100, LONGEST_WAIT),
    });
    connection.on('error', () => undefined); // the publishing call rejects
    return connection;
  }
}

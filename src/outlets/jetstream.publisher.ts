import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { FailDelivery } from '../event-log/handlers/outcomes.js';
import type { NatsAddress } from '../event-log/engines/nats-address.js';
import { importPeers } from '../optional-peer.js';
import { toldOf } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';
import { tellable, ToldError } from '../logging/told-error.js';
import { traceHeaders } from '../tracing/trace-context.js';
import { CLOUD_EVENT_JSON, type OutletEvent } from './cloud-event.js';
import { OutletError } from './errors.js';
import type { Publisher } from './outlet.js';

/** How long the server may take to answer, milliseconds. */
const PATIENCE = 5_000;

/** What a stream that we create keeps: a week, and a gigabyte at most; the oldest events go first. */
const LIMITS = { max_age: 7 * 86_400 * 1e9, max_bytes: 1024 ** 3, duplicate_window: 600 * 1e9 };

/** A generous allowance for headers and protocol besides the event, bytes. */
const OVERHEAD = 4_096;

interface Link {
  connection: NatsConnection;
  client: JetStreamClient;
  manager: JetStreamManager;
  /** Subjects that a stream takes, as far as we know. */
  taken: Set<string>;
}

/** Publishes to NATS JetStream, and waits for the acknowledgement that a stream has the event. */
export class JetstreamPublisher implements Publisher {
  private readonly logger = new Log('Outlets');
  private link: Promise<Link> | undefined;

  private constructor(
    private readonly address: NatsAddress,
    private readonly peers: Awaited<ReturnType<typeof importClients>>,
    private readonly patience: number,
  ) {}

  /**
   * It does not connect before the first event.
   *
   * @param patience how long the server may take to answer, milliseconds.
   * @throws MissingPeerError
   */
  static async load(address: NatsAddress, patience = PATIENCE): Promise<JetstreamPublisher> {
    return new JetstreamPublisher(address, await importClients(), patience);
  }

  async publish({ id, address, json }: OutletEvent): Promise<void> {
    const { connection, client, manager, taken } = await this.connected();
    const bytes = Buffer.from(json);
    const most = (connection.info?.max_payload ?? Number.POSITIVE_INFINITY) - OVERHEAD;
    if (bytes.length > most) {
      throw tellable(
        new FailDelivery(
          `${bytes.length} bytes are more than NATS takes: let the server have a greater \`max_payload\`, and replay`,
        ),
      );
    }
    try {
      if (!taken.has(address)) await this.requireStream(manager, address);
      taken.add(address);
      const headers = this.peers.headers();
      headers.set('Content-Type', CLOUD_EVENT_JSON);
      for (const [name, value] of Object.entries(traceHeaders())) headers.set(name, value);
      await client.publish(address, bytes, { msgID: id, headers, timeout: this.patience });
    } catch (error) {
      taken.delete(address); // its stream may have been deleted
      throw new OutletError(`JetStream has not taken \`${address}\`: ${toldOf(error)}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    const link = await this.link?.catch(() => undefined);
    await link?.connection.close();
  }

  private connected(): Promise<Link> {
    return (this.link ??= this.connect().catch((error: unknown) => {
      this.link = undefined;
      throw new OutletError(`NATS is not reached: ${toldOf(error)}`, { cause: error });
    }));
  }

  private async connect(): Promise<Link> {
    const { connect, jetstream, jetstreamManager } = this.peers;
    const connection = await connect({
      ...this.address,
      name: 'nestjs-livekit-webhooks',
      timeout: this.patience,
      maxReconnectAttempts: -1,
      pingInterval: this.patience, // or it would find out within minutes only that a connection is dead
    });
    // It closes when reconnecting can't help, such as when its credentials are no longer valid.
    void connection.closed().then(() => (this.link = undefined));
    const manager = await jetstreamManager(connection, { timeout: this.patience, checkAPI: false });
    return {
      connection,
      client: jetstream(connection, { timeout: this.patience }),
      manager,
      taken: new Set(),
    };
  }

  /** Creates a stream unless one takes the subject. */
  private async requireStream(manager: JetStreamManager, address: string): Promise<void> {
    const { JetStreamApiCodes, JetStreamApiError } = this.peers;
    const found = await manager.streams.find(address).catch((error: unknown) => {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound)
        return undefined;
      throw error;
    });
    if (found !== undefined) return;
    const [family, project] = address.split('.');
    const name = `${family}-${project}`.replaceAll(/[^\w-]/g, '_');
    const subjects = [`${family}.${project}.>`];
    const { retention, storage, discard } = STREAM;
    await manager.streams
      .add({ name, subjects, retention, storage, discard, ...LIMITS })
      .catch((error: unknown) => {
        throw new ToldError(
          `no stream takes it, and none can be made of \`${subjects[0]}\` (${toldOf(error)}): let one of yours take that subject`,
          { cause: error },
        );
      });
    this.logger.log('a stream of JetStream was made', {
      stream: name,
      subject: `${family}.${project}.>`,
      detail: `no stream took \`${address}\`; it keeps 7 days and 1 GiB`,
    });
  }
}

// The values of the client's enumerations.
const STREAM = { retention: 'limits', storage: 'file', discard: 'old' } as const;

const importClients = () =>
  importPeers('the outlet jetstream', ['@nats-io/transport-node', '@nats-io/jetstream'], async () => {
    const { connect, headers } = await import('@nats-io/transport-node');
    const { jetstream, jetstreamManager, JetStreamApiCodes, JetStreamApiError } =
      await import('@nats-io/jetstream');
    return { connect, headers, jetstream, jetstreamManager, JetStreamApiCodes, JetStreamApiError };
  });

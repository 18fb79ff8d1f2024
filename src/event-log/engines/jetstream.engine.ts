import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  jetstream,
  jetstreamManager,
  type JsMsg,
  RetentionPolicy,
} from '@nats-io/jetstream';
import { connect, nanos, type NatsConnection } from '@nats-io/transport-node';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type DeliveryEngine,
  DeliveryEngineError,
  ENGINE_PATIENCE,
  type EngineConsumer,
  engineToken,
  inTime,
  type ReceiveDelivery,
} from './delivery-engine.js';
import { toldOf } from '../../logging/error-fields.js';
import type { NatsAddress } from './nats-address.js';

/** How long to wait before a server that failed is tried again, milliseconds. */
const AGAIN = 1_000;

/** A process that has not acknowledged a message for this long has died, milliseconds. */
const ACK_WAIT = 30_000;

/** How long a request for messages lasts, milliseconds. */
const PULL = 5_000;

/** A work queue with a subject for each delivery: `livekit-deliveries.<store>.<handler>.<id>`. */
export class JetstreamEngine implements DeliveryEngine {
  private readonly stream: string;
  private connection: NatsConnection | undefined;
  private readonly tried: Promise<void>;
  private readonly connecting: Promise<void>;
  private trouble = '';
  private consuming: Promise<void>[] = [];
  /** Why handlers are brought nothing, by their names. */
  private readonly refusals = new Map<string, string>();
  private readonly open = new Set<ConsumerMessages>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly address: NatsAddress,
    private readonly storeId: string,
  ) {
    this.stream = `livekit-deliveries-${storeId}`;
    this.tried = this.tryToConnect();
    this.connecting = this.connect();
  }

  start(handlers: readonly EngineConsumer[], receive: ReceiveDelivery): void {
    this.consuming = handlers.map((consumer) => this.consumeOn(consumer, receive));
  }

  async carry(handler: string, ids: readonly number[]): Promise<void> {
    await inTime(async () => {
      await this.tried; // during the first attempt to connect there is no error to report yet
      try {
        await this.publish(handler, ids);
      } catch {
        await this.makeStream(); // somebody may have deleted it
        await this.publish(handler, ids);
      }
    });
  }

  async check(): Promise<void> {
    await inTime(async () => {
      await this.tried;
      await (await this.manager()).streams.info(this.stream);
    });
    for (const [handler, why] of this.refusals)
      throw new DeliveryEngineError(`\`${handler}\` is brought nothing: ${why}`);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    try {
      await inTime(async () => {
        await Promise.all([...this.open].map((messages) => messages.close()));
        await Promise.all(this.consuming);
        await this.connecting;
      });
    } finally {
      await this.connection?.close();
    }
  }

  /** Connects for the first time; from then on the client reconnects by itself. */
  private async connect(): Promise<void> {
    await this.tried;
    while (this.connection === undefined) {
      await this.pause();
      if (this.stopping.signal.aborted) return;
      await this.tryToConnect();
    }
  }

  private async tryToConnect(): Promise<void> {
    const options = {
      ...this.address,
      name: 'nestjs-livekit-webhooks',
      timeout: ENGINE_PATIENCE,
      maxReconnectAttempts: -1,
      pingInterval: ENGINE_PATIENCE, // or it would find out within minutes only that a connection is dead
      ignoreAuthErrorAbort: true, // credentials that are refused today may be accepted tomorrow
    };
    try {
      this.connection = await connect(options);
    } catch (error) {
      this.trouble = (error as Error).message;
    }
  }

  private async consumeOn(consumer: EngineConsumer, receive: ReceiveDelivery): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.consume(consumer, receive).catch((error: unknown) =>
        this.refusals.set(consumer.handler, toldOf(error)),
      );
      await this.pause();
    }
  }

  private async consume({ handler, atOnce }: EngineConsumer, receive: ReceiveDelivery): Promise<void> {
    await this.connecting;
    await this.makeStream();
    const { consumers } = await this.manager();
    const durable_name = engineToken(handler);
    const config = {
      durable_name,
      filter_subject: `${this.subjectOf(handler)}.*`,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ACK_WAIT),
      max_ack_pending: atOnce * 16, // of all processes
    };
    // A consumer that a process with another concurrency has created can't be added, but can be updated.
    await consumers.add(this.stream, config).catch(() => consumers.update(this.stream, durable_name, config));
    const consumer = await jetstream(this.server()).consumers.get(this.stream, durable_name);
    this.refusals.delete(handler);
    const held = new Set<Promise<void>>();
    while (!this.stopping.signal.aborted) {
      await this.fetch(consumer, atOnce - held.size, (message) => {
        const id = Number(message.subject.split('.').at(-1));
        const receiving: Promise<void> = receive(handler, id)
          .then(() => message.ack())
          .catch(() => undefined) // then it is handed out again
          .finally(() => held.delete(receiving));
        held.add(receiving);
      });
      while (held.size > atOnce / 2) await Promise.race(held);
    }
  }

  private async fetch(consumer: Consumer, most: number, take: (message: JsMsg) => void): Promise<void> {
    // A stream that is gone is noticed within `PULL`.
    const messages = await consumer.fetch({ max_messages: most, expires: PULL });
    this.open.add(messages);
    try {
      if (this.stopping.signal.aborted) void messages.close(); // which waits for what follows
      for await (const message of messages) take(message);
    } finally {
      this.open.delete(messages);
    }
  }

  private async publish(handler: string, ids: readonly number[]): Promise<void> {
    const client = jetstream(this.server());
    const subject = this.subjectOf(handler);
    await Promise.all(
      ids.map((id) =>
        client.publish(`${subject}.${id}`, undefined, { timeout: ENGINE_PATIENCE, retries: 0 }),
      ),
    );
  }

  /** Makes the stream unless there is one, which may have been set up otherwise (replicas, say) and is used as it is. */
  private async makeStream(): Promise<void> {
    const { streams } = await this.manager();
    await streams.info(this.stream).catch(() =>
      streams.add({
        name: this.stream,
        subjects: [`livekit-deliveries.${this.storeId}.>`],
        retention: RetentionPolicy.Workqueue,
        max_msgs_per_subject: 1, // a repeated delivery replaces the first
      }),
    );
  }

  private manager() {
    return jetstreamManager(this.server(), { timeout: ENGINE_PATIENCE, checkAPI: false });
  }

  private subjectOf(handler: string): string {
    return `livekit-deliveries.${this.storeId}.${engineToken(handler)}`;
  }

  private server(): NatsConnection {
    if (this.connection === undefined)
      throw new DeliveryEngineError(`NATS can not be reached: ${this.trouble}`);
    return this.connection;
  }

  private pause(): Promise<void> {
    return delay(AGAIN, undefined, { signal: this.stopping.signal, ref: false }).catch(() => undefined);
  }
}

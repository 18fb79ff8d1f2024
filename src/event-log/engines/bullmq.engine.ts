import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import {
  type DeliveryEngine,
  ENGINE_PATIENCE,
  type EngineConsumer,
  engineToken,
  inTime,
  type ReceiveDelivery,
} from './delivery-engine.js';

interface Job {
  id: number;
}

/** A job is over as soon as the store has claimed its delivery: a process that holds one longer has died, milliseconds. */
const LOCK = 10_000;

/** One queue per handler; the job of a delivery is `d-<id>`, and has one attempt. */
export class BullmqEngine implements DeliveryEngine {
  /** For commands: they fail when Redis is down, and are not queued. */
  private readonly commands: Redis;
  /** For workers: it waits until Redis is back. */
  private readonly waiting: Redis;
  /** These two, and the workers' copies of the second. */
  private readonly connections: Redis[];
  private readonly prefix: string;
  private readonly queues = new Map<string, Queue<Job>>();
  private workers: Worker<Job>[] = [];
  private stopped = false;

  constructor(url: string, storeId: string) {
    this.prefix = `livekit-deliveries-${storeId}`;
    // The workers' own connections are copies, and would wait for ever for a server that is gone.
    const retryStrategy = (times: number) => (this.stopped ? null : Math.min(times * 50, 1_000));
    this.commands = new Redis(url, {
      retryStrategy,
      maxRetriesPerRequest: 1,
      commandTimeout: ENGINE_PATIENCE,
    });
    this.waiting = new Redis(url, { retryStrategy, maxRetriesPerRequest: null });
    this.connections = [this.commands, this.waiting];
    // A command rejects when Redis is down; nothing else needs to know.
    for (const connection of this.connections) connection.on('error', () => undefined);
    const { duplicate } = this.waiting;
    this.waiting.duplicate = (options) => {
      const copy = duplicate.call(this.waiting, options);
      this.connections.push(copy);
      return copy;
    };
  }

  start(handlers: readonly EngineConsumer[], receive: ReceiveDelivery): void {
    this.workers = handlers.map(({ handler, atOnce }) => {
      const worker = new Worker<Job>(engineToken(handler), ({ data }) => receive(handler, data.id), {
        connection: this.waiting,
        prefix: this.prefix,
        concurrency: atOnce,
        lockDuration: LOCK,
        stalledInterval: LOCK / 2,
        maxStalledCount: 1_000,
      });
      worker.on('error', () => undefined);
      return worker;
    });
  }

  async carry(handler: string, ids: readonly number[]): Promise<void> {
    await this.command(async () => {
      const jobs = ids.map((id) => ({ name: 'delivery', data: { id }, opts: { ...ONCE, jobId: `d-${id}` } }));
      await this.queueOf(handler).addBulk(jobs);
    });
  }

  async check(): Promise<void> {
    await this.command(() => this.commands.ping());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    // A worker that has lost its connection would wait for that to end, for ever, and keep the process alive.
    const isGone = this.waiting.status !== 'ready';
    try {
      await inTime(() =>
        Promise.all([
          ...this.workers.map((worker) => worker.close(isGone)),
          ...[...this.queues.values()].map((queue) => queue.close()),
        ]),
      );
    } finally {
      for (const connection of [this.commands, this.waiting]) connection.disconnect();
    }
  }

  // Where Redis does not answer, connections may be dead, which the kernel takes a quarter of an hour to find out.
  private async command(work: () => Promise<unknown>): Promise<void> {
    try {
      await inTime(work);
    } catch (error) {
      const ready = this.connections.filter(({ status }) => status === 'ready');
      if (ready.includes(this.commands) && !this.stopped)
        for (const connection of ready) connection.disconnect(true);
      throw error;
    }
  }

  private queueOf(handler: string): Queue<Job> {
    let queue = this.queues.get(handler);
    if (queue === undefined) {
      queue = new Queue<Job>(engineToken(handler), { connection: this.commands, prefix: this.prefix });
      queue.on('error', () => undefined);
      this.queues.set(handler, queue);
    }
    return queue;
  }
}

const ONCE = { attempts: 1, removeOnComplete: true, removeOnFail: true };

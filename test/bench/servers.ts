import { setTimeout as delay } from 'node:timers/promises';
import type { LivekitEventName, Role } from '../../dist/index.js';
import { Child } from './child.js';
import { type Load, send, signedDeliveries, signedOf } from './load.js';

/** Connections that send at once. */
export const CONNECTIONS = 64;

const MOST_A_SECOND = 40_000;

/** A server of deliveries: ours on Express or Fastify, or what it is measured by. */
export interface ServerShape {
  receiver: 'official' | 'empty' | 'bare' | 'by hand' | 'express' | 'fastify';
  /** Of ours. */
  database?: string;
  /** How many durable handlers ours has, none unless told. */
  handlers?: number;
  /** What they hear of, everything unless told. */
  hears?: LivekitEventName | '*';
  /** What ours does of an application of several processes, all of it unless told. */
  role?: Role;
  /** Whether ours makes sessions of what it receives. */
  sessions?: boolean;
  /** Whether ours has metrics. */
  metrics?: boolean;
  /** Whether ours writes a log line for each delivery, as it does unless told. */
  logs?: boolean;
}

/** What a server is asked: where it listens, to say when its handlers have nothing to do, how much they have to do, … */
export interface ServerQuestion {
  ask: 'url' | 'drained' | 'backlog' | 'cpu' | 'memory';
}

/** A server that runs. */
export class Server {
  private constructor(
    private readonly child: Child,
    readonly url: string,
  ) {}

  static async start(shape: ServerShape): Promise<Server> {
    const child = await Child.start('server.ts', JSON.stringify(shape));
    return new Server(child, await child.ask<string>({ ask: 'url' }));
  }

  /** Sends for some milliseconds, to others too if there are any. @throws Error when anything is not answered 200. */
  async load(milliseconds: number, others: readonly Server[] = []): Promise<Load & { cpu: number }> {
    const deliveries = signedDeliveries((MOST_A_SECOND * milliseconds) / 1000);
    const before = await this.cpu();
    const sending = { connections: CONNECTIONS, duration: milliseconds };
    const load = await send(urlsOf(this, others), () => deliveries.pop(), sending);
    return { ...load, cpu: ((await this.cpu()) - before) / load.accepted };
  }

  /**
   * Sends for some milliseconds, and no faster than its handlers follow: senders wait while more than `most` is left to do.
   *
   * @param others that share its database, and are sent to as well.
   * @throws Error when anything is not answered 200.
   */
  async loadAsHandled(
    bodies: Iterable<string>,
    milliseconds: number,
    most: number,
    others: readonly Server[] = [],
  ): Promise<Load> {
    let isBehind = false;
    const over = new AbortController();
    const watch = async () => {
      while (!over.signal.aborted) {
        isBehind = (await this.child.ask<number>({ ask: 'backlog' })) > most;
        await delay(20);
      }
    };
    const watching = watch();
    const deliveries = signedOf(bodies);
    const load = send(urlsOf(this, others), () => deliveries.pop(), {
      connections: CONNECTIONS,
      duration: milliseconds,
      waits: () => isBehind,
    });
    return load.finally(() => {
      over.abort();
      return watching;
    });
  }

  /** Resolves when its handlers have nothing left to do. */
  drained(): Promise<void> {
    return this.child.ask({ ask: 'drained' });
  }

  /** The processor time that it has taken so far, microseconds. */
  private cpu(): Promise<number> {
    return this.child.ask({ ask: 'cpu' });
  }

  stop(): void {
    this.child.stop();
  }
}

const urlsOf = (...servers: [Server, readonly Server[]]): string[] => servers.flat().map(({ url }) => url);

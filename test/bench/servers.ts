import { setTimeout as delay } from 'node:timers/promises';
import type { HandlerOptions, LivekitEventName, Role } from '../../dist/index.js';
import { Child } from './child.js';
import { type Load, type Requests, send, sendAtRate, signedAll, signedFresh } from './load.js';

/** Connections that send at once. */
export const CONNECTIONS = 64;

const MOST_A_SECOND = 40_000;

/** A server of deliveries: ours on Express or Fastify, or what it is measured by. */
export interface ServerShape {
  receiver: 'official' | 'empty' | 'wire' | 'bare' | 'by hand' | 'express' | 'fastify';
  /** Of ours. */
  database?: string;
  /** How many durable handlers ours has, none unless told. */
  handlers?: number;
  /** What they hear of, everything unless told. */
  hears?: LivekitEventName | '*';
  /** How they are handed it, one by one unless told. */
  handling?: HandlerOptions;
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

/** Ours as it is used: with log lines and metrics, and three handlers of what a call comes to: to bill it, say, to archive it, and to clean up. */
export const FULL = {
  metrics: true,
  handlers: 3,
  hears: 'room_finished',
} satisfies Partial<ServerShape>;

/** How a server is loaded. */
export interface LoadShape {
  /** Milliseconds. */
  duration: number;
  /** How long before that, uncounted, milliseconds. */
  warmUp?: number;
  connections?: number;
  /** Servers that share its database, and are sent to as well. */
  others?: readonly Server[];
  /** Gives the requests, real-shaped deliveries of events that nobody has sent before unless told. */
  next?: Requests;
  /** What they are to be answered, 200 unless told. */
  status?: number;
}

/** What a load has shown, and the processor time that the server took for each request, microseconds. */
export type ServerLoad = Load & { cpu: number };

/** A server that runs. */
export class Server {
  /** Deliveries that were answered as they should be, by it and by others of the same loads. */
  accepted = 0;

  private constructor(
    private readonly child: Child,
    readonly url: string,
  ) {}

  /** @param env its environment, beside this process's. */
  static async start(shape: ServerShape, env: Record<string, string> = {}): Promise<Server> {
    const child = await Child.startIn(env, 'server.ts', JSON.stringify(shape));
    return new Server(child, await child.ask<string>({ ask: 'url' }));
  }

  /**
   * Sends as fast as it is answered, to others too if there are any.
   *
   * @throws Error when anything is answered otherwise than it should be.
   */
  async load({
    others = [],
    next,
    connections = CONNECTIONS,
    warmUp = 0,
    duration,
    status,
  }: LoadShape): Promise<ServerLoad> {
    // Signed before anything is sent: between warming up and what counts nothing is to cool down.
    const deliveries = next ?? signedFresh((MOST_A_SECOND * (warmUp + duration)) / 1000);
    const sent = (milliseconds: number) =>
      send(urlsOf(this, others), deliveries, {
        connections,
        duration: milliseconds,
        ...(status && { status }),
      });
    if (warmUp > 0) this.accepted += (await sent(warmUp)).accepted;
    return this.whileCounting(() => sent(duration));
  }

  /** Sends so many a second. @throws Error when anything is not answered 200. */
  loadAtRate(perSecond: number, duration: number): Promise<ServerLoad> {
    const deliveries = signedFresh((perSecond * duration) / 1000);
    return this.whileCounting(() =>
      sendAtRate(this.url, deliveries, perSecond, { connections: CONNECTIONS, duration }),
    );
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
    const load = send(urlsOf(this, others), signedAll(bodies), {
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

  /** The memory that it holds once what can be freed is freed, bytes. */
  memory(): Promise<number> {
    return this.child.ask({ ask: 'memory' });
  }

  /** Ends it, and resolves once it has let go of its database. */
  stop(): Promise<void> {
    return this.child.stop();
  }

  private async whileCounting(load: () => Promise<Load>): Promise<ServerLoad> {
    const before = await this.child.ask<number>({ ask: 'cpu' });
    const told = await load();
    const after = await this.child.ask<number>({ ask: 'cpu' });
    this.accepted += told.accepted;
    return { ...told, cpu: (after - before) / told.accepted };
  }
}

const urlsOf = (...servers: [Server, readonly Server[]]): string[] => servers.flat().map(({ url }) => url);

import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DeliveryEngineOptions } from '../../dist/index.js';
import { type FreshDatabase, freshPostgres, sqlQuery } from '../support/database.js';

/** Where the benches find Redis. */
export const REDIS_URL = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

/** And NATS. */
export const NATS_URL = process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222';

/** A kind of database. */
export type DatabaseKind = 'SQLite' | 'PostgreSQL';

/** The databases that a bench has made, and which kinds could not be had. */
export class Databases {
  readonly leftOut: string[] = [];
  private readonly made: FreshDatabase[] = [];
  // Not where temporary files are: those may lie in memory, where nothing has to wait for a disk.
  private readonly folder = mkdtempSync(resolve('.bench-'));

  /** A new file. */
  sqlite(): string {
    return `file:${join(mkdtempSync(join(this.folder, 'database-')), 'voice.sqlite')}`;
  }

  /** A new database on the PostgreSQL server; `null` when there is none. */
  async postgres(): Promise<string | null> {
    try {
      const database = await freshPostgres();
      this.made.push(database);
      return database.url;
    } catch (error) {
      this.leaveOut('PostgreSQL', error);
      return null;
    }
  }

  /** A new one of a kind that can be had. */
  async one(kind: DatabaseKind): Promise<string> {
    return kind === 'SQLite' ? this.sqlite() : ((await this.postgres()) ?? '');
  }

  /** Both kinds, as far as they can be had. */
  async all(): Promise<{ kind: DatabaseKind; url: string }[]> {
    const postgres = await this.postgres();
    return [
      { kind: 'SQLite', url: this.sqlite() },
      ...(postgres === null ? [] : [{ kind: 'PostgreSQL' as const, url: postgres }]),
    ];
  }

  /** A prefix on Redis that nobody else has; `null` when there is no Redis. */
  async redisPrefix(): Promise<string | null> {
    try {
      await withRedis((redis) => redis.ping());
      const prefix = `bench-${randomUUID()}`;
      this.made.push({ url: prefix, drop: () => withRedis((redis) => removeKeys(redis, prefix)) });
      return prefix;
    } catch (error) {
      this.leaveOut('Redis', error);
      return null;
    }
  }

  /** The engines whose servers can be had. */
  async engines(): Promise<DeliveryEngineOptions[]> {
    const engines: DeliveryEngineOptions[] = [{ type: 'database' }];
    if ((await this.redisPrefix()) !== null) engines.push({ type: 'bullmq', url: REDIS_URL });
    try {
      await withNats(async (nats) => void (await jetstreamManager(nats)));
      engines.push({ type: 'jetstream', url: NATS_URL });
    } catch (error) {
      this.leaveOut('NATS with JetStream', error);
    }
    return engines;
  }

  /** Takes away what an engine keeps of a database. */
  async forget(url: string, { type }: DeliveryEngineOptions): Promise<void> {
    const [store] = await sqlQuery<{ id: string }>(url, 'SELECT id FROM livekit_store');
    if (store === undefined) return;
    const name = `livekit-deliveries-${store.id}`;
    if (type === 'bullmq') await withRedis((redis) => removeKeys(redis, name));
    if (type === 'jetstream')
      await withNats(async (nats) => (await jetstreamManager(nats)).streams.delete(name));
  }

  /** Takes everything away again. */
  async drop(): Promise<void> {
    for (const database of this.made) await database.drop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private leaveOut(service: string, error: unknown): void {
    const { message, code } = error as { message: string; code?: string };
    const what = `what needs ${service} (${message || code})`;
    if (!this.leftOut.includes(what)) this.leftOut.push(what);
  }
}

async function withRedis<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(REDIS_URL, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined); // whoever asks is told
  try {
    await redis.connect();
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

async function withNats<T>(work: (nats: NatsConnection) => Promise<T>): Promise<T> {
  const nats = await connect({ servers: NATS_URL, reconnect: false });
  try {
    return await work(nats);
  } finally {
    await nats.close();
  }
}

async function removeKeys(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(keys as string[]);
  }
}

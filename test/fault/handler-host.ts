/**
 * A host with durable handlers of every kind, in a process of its own. Its database (`DATABASE_URL`, `DATABASE_POOL_SIZE`,
 * `DATABASE_LISTEN_URL`), its engine (`DELIVERY_ENGINE` with `REDIS_URL` or `NATS_URL`) and its address are told as the
 * application's are; beside that:
 *
 * - `FAULT_FOLDER`: where its ledger is. While a file `hold-<n>` is there, attempt n of a handler does not end;
 * - `FAULT_LEASE`: of every handler, milliseconds;
 * - `FAULT_SEED`: decides which attempts fail, in any process alike; none unless told.
 */
import 'reflect-metadata';
import { ConsoleLogger, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource, type EntityManager, type MigrationInterface, type QueryRunner } from 'typeorm';
import {
  type AppEvent,
  type DeliveryContext,
  type DeliveryEngineOptions,
  EventLog,
  type LivekitEvent,
  LivekitWebhookModule,
  OnAppEvent,
  OnLivekitEvent,
  SessionsModule,
  type TransactionalBatchContext,
  type TransactionalDeliveryContext,
} from '../../dist/index.js';
import { seededRandom } from '../support/random.js';
import { Ledger, type Run } from './ledger.js';

const env = (name: string): string => process.env[name] ?? '';

const folder = env('FAULT_FOLDER');
const url = env('DATABASE_URL');
const database = {
  url,
  poolSize: Number(env('DATABASE_POOL_SIZE') || 10),
  ...(env('DATABASE_LISTEN_URL') && { listenUrl: env('DATABASE_LISTEN_URL') }),
};
const engine = {
  type: env('DELIVERY_ENGINE') || 'database',
  url: env('REDIS_URL') || env('NATS_URL'),
} as DeliveryEngineOptions;
const isServer = url.startsWith('postgres');

/** What the handlers do to the host's own table: nothing keeps them from doing it twice. */
class CreateEffects1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'CREATE TABLE effects (handler text NOT NULL, event text NOT NULL, made_by integer NOT NULL)',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE effects');
  }
}

const EAGER = {
  lease: Number(env('FAULT_LEASE')),
  backoff: { first: 20, longest: 200 },
  maxAttempts: 1_000,
} as const;

interface Counted {
  event: string;
}

@Injectable()
class Handlers {
  private readonly ledger = new Ledger(folder);

  constructor(@Inject(EventLog) private readonly log: EventLog) {}

  @OnLivekitEvent('*', { ...EAGER, name: 'count', transactional: true })
  count(event: LivekitEvent, delivery: TransactionalDeliveryContext): Promise<void> {
    return this.ledger.keep(runOf(event, delivery), async () => {
      await makeEffects(delivery.manager, 'count', [event]);
      await this.log.appendIn(delivery.manager, 'event.counted', { event: event.id } satisfies Counted);
      await held(delivery);
      perhapsFail(delivery);
    });
  }

  @OnAppEvent<Counted>('event.counted', { ...EAGER, name: 'hear' })
  hear({ id, data }: AppEvent<Counted>, delivery: DeliveryContext): Promise<void> {
    return this.ledger.keep({ ...runOf({ id: data.event }, delivery), room: id }, async () => {
      perhapsFail(delivery);
    });
  }

  @OnLivekitEvent('*', { ...EAGER, name: 'tally', transactional: true, batch: 50 })
  async tally(events: LivekitEvent[], { manager, deliveries }: TransactionalBatchContext): Promise<void> {
    await makeEffects(manager, 'tally', events);
    for (const delivery of deliveries) perhapsFail(delivery);
  }

  @OnLivekitEvent('*', { ...EAGER, name: 'notify' })
  notify(event: LivekitEvent, delivery: DeliveryContext): Promise<void> {
    return this.ledger.keep(runOf(event, delivery), () => workOn(delivery));
  }

  @OnLivekitEvent('*', { ...EAGER, name: 'follow', ordering: 'room' })
  follow(event: LivekitEvent, delivery: DeliveryContext): Promise<void> {
    return this.ledger.keep(runOf(event, delivery), () => workOn(delivery));
  }
}

const runOf = (
  { id, room }: Pick<LivekitEvent, 'id'> & { room?: { sid: string } },
  { id: delivery, handler, attempt, idempotencyKey: key }: DeliveryContext,
): Run => ({ handler, delivery, attempt, key, event: id, room: room?.sid ?? '', by: process.pid });

async function makeEffects(
  manager: EntityManager,
  handler: string,
  events: readonly { id: string }[],
): Promise<void> {
  const rows = events.map(({ id }) => `('${handler}', '${id}', ${process.pid})`);
  await manager.query(`INSERT INTO effects (handler, event, made_by) VALUES ${rows.join(',')}`);
}

async function workOn(delivery: DeliveryContext): Promise<void> {
  await delay(chance(delivery, 'duration')(15));
  await held(delivery);
  perhapsFail(delivery);
}

async function held({ attempt }: DeliveryContext): Promise<void> {
  while (existsSync(join(folder, `hold-${attempt}`))) await delay(5);
}

function perhapsFail(delivery: DeliveryContext): void {
  if (env('FAULT_SEED') === '') return;
  if (delivery.attempt <= 3 && chance(delivery, 'failure')(10) === 0) throw new Error('bad luck');
}

function chance({ idempotencyKey, attempt }: DeliveryContext, what: string): (below: number) => number {
  const source = [env('FAULT_SEED'), idempotencyKey, attempt, what].join();
  return seededRandom(createHash('sha256').update(source).digest().readInt32LE());
}

/** Where the host's tables are is its own affair on PostgreSQL; an SQLite file has one owner. */
async function openDataSource(): Promise<DataSource> {
  const dataSource = new DataSource({
    type: 'postgres',
    url,
    migrations: [CreateEffects1700000000000],
    migrationsRun: true,
    poolSize: 8,
    // Where the network parts us from the server in a transaction, what it has locked is free again then.
    extra: { idle_in_transaction_session_timeout: 10_000 },
    applicationName: `handlers of ${process.pid}`,
    installExtensions: false,
  });
  return dataSource.initialize();
}

const handlers = isServer ? await openDataSource() : undefined;

@Module({
  imports: [
    LivekitWebhookModule.forRoot({
      apiKey: env('LIVEKIT_API_KEY'),
      apiSecret: env('LIVEKIT_API_SECRET'),
      database: {
        ...database,
        ...(handlers ? { handlers } : { entityMigrations: [CreateEffects1700000000000] }),
      },
      deliveries: { engine },
    }),
    SessionsModule.forRoot({ adminToken: env('ADMIN_TOKEN') }),
  ],
  providers: [Handlers],
})
class HandlerHost {}

const logger = new ConsoleLogger({ json: true, colors: false });
const app = await NestFactory.create(HandlerHost, { logger });
await app.listen(0, '127.0.0.1');
logger.log(`listening on ${await app.getUrl()}`);
process.once('SIGTERM', () => void app.close().then(() => handlers?.destroy()));

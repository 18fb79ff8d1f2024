import { Injectable, type Type } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import {
  Column,
  DataSource,
  Entity,
  type EntityManager,
  type MigrationInterface,
  PrimaryColumn,
  type QueryRunner,
} from 'typeorm';
import { EventStore } from '../../../src/database/event-store.js';
import { type AppEvent, OnAppEvent } from '../../../src/event-log/handlers/on-app-event.decorator.js';
import { EventLog } from '../../../src/event-log/event-log.js';
import type {
  DeliveryContext,
  TransactionalBatchContext,
  TransactionalDeliveryContext,
} from '../../../src/event-log/handlers/context.js';
import { DiscardDelivery } from '../../../src/event-log/handlers/outcomes.js';
import type { LivekitEvent } from '../../../src/livekit-webhook/livekit-events.js';
import { OnLivekitEvent } from '../../../src/livekit-webhook/on-livekit-event.decorator.js';
import { TcpProxy } from '../../fault/tcp-proxy.js';
import { type FreshDatabase, freshDatabase, onPostgres, sqlQuery } from '../../support/database.js';
import { bootHandlers, type HandlerHost, type HandlerHostShape, handlerOf } from '../../support/handlers.js';
import { testOnPostgres, testOnSqlite } from '../../support/only-on.js';
import { until } from '../../support/until.js';

@Entity('charges')
class Charge {
  @PrimaryColumn('text')
  eventId!: string;

  @Column('integer')
  cents!: number;
}

class CreateCharges1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE charges ("eventId" text NOT NULL PRIMARY KEY, cents integer NOT NULL)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE charges');
  }
}

type Started = LivekitEvent<'room_started'>;

/** An advisory lock of PostgreSQL that nobody but a test takes. */
const HELD_UP = 4711;

/** What sets the host's DataSource apart, on PostgreSQL. */
interface HostSource {
  isolation?: string;
  url?: string;
  poolSize?: number;
}

describe('a transactional handler', () => {
  let database: FreshDatabase;
  let host: HandlerHost;
  let hosts: DataSource | undefined;
  let proxy: TcpProxy | undefined;

  const boot = async (
    provider: NonNullable<HandlerHostShape['providers']>[number],
    { isolation, url = database.url, poolSize }: HostSource = {},
  ) => {
    // Where the host's tables are is the host's affair on PostgreSQL; an SQLite file has one owner.
    if (onPostgres) {
      hosts = await new DataSource({
        type: 'postgres',
        url,
        entities: [Charge],
        migrations: [CreateCharges1700000000000],
        installExtensions: false,
        ...(poolSize && { poolSize }),
        ...(isolation && { extra: { options: `-c default_transaction_isolation=${isolation}` } }),
      }).initialize();
      await hosts.runMigrations();
      // Ours must be there before the two are compared.
      await (await EventStore.open({ url: database.url })).close();
    }
    host = await bootHandlers({
      url: database.url,
      providers: [provider],
      options: {
        database: {
          url: database.url,
          ...(hosts
            ? { handlers: hosts }
            : { entities: [Charge], entityMigrations: [CreateCharges1700000000000] }),
        },
      },
    });
  };
  const charges = async () =>
    (await sqlQuery<{ eventId: string }>(database.url, 'SELECT "eventId" FROM charges ORDER BY 1')).map(
      ({ eventId }) => eventId,
    );

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    await host.app.close();
    await hosts?.destroy();
    hosts = undefined;
    await proxy?.close();
    proxy = undefined;
    await database.drop();
  });

  test("writes with the host's entities, and its writes are there when it is acknowledged", async () => {
    @Injectable()
    class Billing {
      @OnLivekitEvent('room_started', { name: 'billing', transactional: true })
      async bill({ id }: Started, { manager }: TransactionalDeliveryContext) {
        await manager.getRepository(Charge).save({ eventId: id, cents: 100 });
      }
    }
    await boot(Billing);
    await host.receive(['EV_1', 'room_started'], ['EV_2', 'room_started']);
    await host.deliveries.drain();
    expect(await charges()).toEqual(['EV_1', 'EV_2']);
    const { deliveries } = await host.deliveries.list({ handler: 'billing' });
    expect(deliveries.map(({ state }) => state)).toEqual(['done', 'done']);
  });

  test('leaves nothing behind when it throws, however late, and writes once when it succeeds', async () => {
    let failures = 2;
    @Injectable()
    class Billing {
      @OnLivekitEvent('room_started', { name: 'billing', transactional: true, backoff: () => 10 })
      async bill({ id }: Started, { manager }: TransactionalDeliveryContext) {
        await manager.insert(Charge, { eventId: id, cents: 100 });
        if (failures-- > 0) throw new Error('after the write');
      }
    }
    await boot(Billing);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(await charges()).toEqual([]);
    await host.pass(20);
    await host.pass(20);
    expect(await charges()).toEqual(['EV_1']);
  });

  test('takes batches in one transaction, and a bad member spoils only itself', async () => {
    @Injectable()
    class Billing {
      @OnLivekitEvent('room_started', { name: 'billing', transactional: true, batch: 10, maxAttempts: 1 })
      async bill(events: Started[], { manager }: TransactionalBatchContext) {
        for (const { id } of events) {
          await manager.insert(Charge, { eventId: id, cents: 100 });
          if (id === 'EV_bad') throw new Error('bad');
        }
      }
    }
    await boot(Billing);
    await host.receive(['EV_1', 'room_started'], ['EV_bad', 'room_started'], ['EV_2', 'room_started']);
    await host.deliveries.drain();
    expect(await charges()).toEqual(['EV_1', 'EV_2']);
  });

  test('is run once more by a replay, in a transaction again', async () => {
    @Injectable()
    class Billing {
      @OnLivekitEvent('room_started', { name: 'billing', transactional: true })
      async bill(_: Started, { manager, replay, idempotencyKey }: TransactionalDeliveryContext) {
        await manager.insert(Charge, { eventId: `${idempotencyKey} ${replay}`, cents: 100 });
        if (replay === 1) throw new DiscardDelivery('billed before');
      }
    }
    await boot(Billing);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(await host.deliveries.replayAll({ handler: 'billing', state: 'done' })).toBe(1);
    await host.deliveries.drain();
    expect(await charges()).toEqual(['default/EV_1/billing 0']);
    expect(await host.deliveries.replayAll({ handler: 'billing', state: 'discarded' })).toBe(1);
    await host.deliveries.drain();
    expect(await charges()).toEqual(['default/EV_1/billing 0', 'default/EV_1/billing 2']);
  });

  test('may nest transactions, and lose an inner one without the outer', async () => {
    @Injectable()
    class Nested {
      @OnLivekitEvent('room_started', { name: 'nested', transactional: true })
      async bill({ id }: Started, { manager }: TransactionalDeliveryContext) {
        await manager.insert(Charge, { eventId: id, cents: 1 });
        await manager
          .transaction(async (inner) => {
            await inner.insert(Charge, { eventId: `${id}-inner`, cents: 1 });
            throw new Error('the inner one only');
          })
          .catch(() => undefined);
        await manager.insert(Charge, { eventId: `${id}-after`, cents: 1 });
      }
    }
    await boot(Nested);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(await charges()).toEqual(['EV_1', 'EV_1-after']);
  });

  test('is acknowledged with what it wrote though it leaves a transaction within open', async () => {
    @Injectable()
    class LeavesOpen {
      @OnLivekitEvent('room_started', { name: 'leaves-open', transactional: true })
      async bill({ id }: Started, { manager }: TransactionalDeliveryContext) {
        await manager.queryRunner?.startTransaction();
        await manager.insert(Charge, { eventId: id, cents: 1 });
      }
    }
    await boot(LeavesOpen);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    const { deliveries } = await host.deliveries.list({ handler: 'leaves-open' });
    expect(deliveries).toMatchObject([{ state: 'done' }]);
    expect(await charges()).toEqual(['EV_1']);
  });

  test('can append events of its own that are there only if it is committed', async () => {
    const heard: string[] = [];
    let failures = 1;
    @Injectable()
    class Outbox {
      constructor(private readonly log: EventLog) {}

      @OnLivekitEvent('room_started', { name: 'outbox', transactional: true, backoff: () => 10 })
      async bill({ id }: Started, { manager, attempt }: TransactionalDeliveryContext) {
        await this.log.appendIn(manager, 'bill.made', { id, attempt });
        if (failures-- > 0) throw new Error('after the append');
      }

      @OnAppEvent<{ id: string; attempt: number }>('bill.made', { name: 'mail' })
      mail({ data }: AppEvent<{ id: string; attempt: number }>) {
        heard.push(`${data.id} ${data.attempt}`);
      }
    }
    await boot(Outbox);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(heard).toEqual([]);
    await host.pass(20);
    expect(heard).toEqual(['EV_1 2']);
  });

  test('past its time is rolled back, and what it does afterwards reaches nobody', async () => {
    const late: unknown[] = [];
    let goOn: () => void = () => undefined;
    const overtaken = new Promise<void>((resolve) => (goOn = resolve));
    @Injectable()
    class Slow {
      @OnLivekitEvent('room_started', { name: 'slow', transactional: true, timeout: 500, maxAttempts: 1 })
      async bill({ id }: Started, { manager }: TransactionalDeliveryContext) {
        await manager.insert(Charge, { eventId: id, cents: 1 });
        await overtaken;
        await manager.insert(Charge, { eventId: `${id}-late`, cents: 1 }).catch((error) => late.push(error));
      }
    }
    await boot(Slow);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    goOn();
    await until('the late write to be refused', () => late.length === 1);
    expect(await charges()).toEqual([]);
    const [delivery] = (await host.deliveries.list({ handler: 'slow' })).deliveries;
    expect(delivery).toMatchObject({ state: 'dead', error: expect.stringMatching(/DeliveryTimeoutError/) });
    await host.receive(['EV_2', 'room_finished']); // the store goes on
  });

  test('whose delivery is somebody else’s by now commits nothing', async () => {
    @Injectable()
    class Overtaken {
      @OnLivekitEvent('room_started', { name: 'overtaken', transactional: true })
      async bill({ id }: Started, { manager, attempt }: TransactionalDeliveryContext) {
        await manager.insert(Charge, { eventId: `${id}-${attempt}`, cents: 1 });
        // As if the lease had run out, and another process had claimed it meanwhile.
        if (attempt === 1) {
          await manager.query("UPDATE livekit_deliveries SET lease_token = 'another claim'");
        }
      }
    }
    await boot(Overtaken);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(await charges()).toEqual([]);
    await host.pass(61_000);
    expect(await charges()).toEqual(['EV_1-2']);
  });

  test('keeps its lease of what is left of a batch when some of it is done', async () => {
    const runs: string[] = [];
    @Injectable()
    class Split {
      @OnLivekitEvent('room_started', { name: 'split', transactional: true, batch: 10, lease: 1_000 })
      async bill(events: Started[], { manager }: TransactionalBatchContext) {
        if (events.length > 1) throw new Error('not all at once');
        const [{ id }] = events as [Started];
        runs.push(id);
        await manager.insert(Charge, { eventId: id, cents: 1 });
        if (id === 'EV_2') await delay(400); // a lease is renewed after a third of it
      }
    }
    await boot(Split);
    await host.receive(['EV_1', 'room_started'], ['EV_2', 'room_started'], ['EV_3', 'room_started']);
    await host.deliveries.drain();
    expect(runs).toEqual(['EV_1', 'EV_2', 'EV_3']);
    expect(await charges()).toEqual(runs);
  });

  testOnPostgres.each(['', ' and is in a transaction within it'])(
    'that is given up while it waits for its database%s is not acknowledged by what it does then',
    async (nested) => {
      let isOver = false;
      @Injectable()
      class Waiting {
        @OnLivekitEvent('room_started', {
          name: 'waiting',
          transactional: true,
          timeout: 1_000,
          backoff: () => 10,
        })
        async bill({ id }: Started, { manager, attempt }: TransactionalDeliveryContext) {
          const work = async (inner: EntityManager): Promise<void> => {
            await inner.insert(Charge, { eventId: `${id}-${attempt}`, cents: 1 });
            if (attempt > 1) return;
            await inner.query('SELECT pg_sleep(1.3)');
            await inner.insert(Charge, { eventId: `${id}-late`, cents: 1 });
          };
          try {
            await (nested === '' ? work(manager) : manager.transaction(work));
          } finally {
            isOver = true;
          }
        }
      }
      await boot(Waiting);
      await host.receive(['EV_1', 'room_started']);
      await host.deliveries.drain();
      await until('the abandoned work to be over', () => isOver);
      expect(await charges()).toEqual([]);
      await host.pass(20);
      expect(await charges()).toEqual(['EV_1-2']);
      const [delivery] = (await host.deliveries.list({ handler: 'waiting' })).deliveries;
      expect(delivery).toMatchObject({ state: 'done', attempt: 2 });
    },
  );

  describe('that is timed out', () => {
    let runs: number;

    @Injectable()
    class Hasty {
      @OnLivekitEvent('room_started', {
        name: 'hasty',
        transactional: true,
        timeout: 1_000,
        backoff: () => 10,
      })
      async bill({ id }: Started, { manager }: TransactionalDeliveryContext) {
        runs += 1;
        await manager.insert(Charge, { eventId: id, cents: 1 });
      }
    }

    const bootHasty = async (source: HostSource = {}) => {
      proxy = await TcpProxy.before(database.url);
      await boot(Hasty, { ...source, url: proxy.through(database.url) });
      runs = 0;
    };
    const delivery = async () => (await host.deliveries.list({ handler: 'hasty' })).deliveries[0];
    const expectTimeout = async () => {
      await host.deliveries.drain();
      expect(await delivery()).toMatchObject({
        state: 'pending',
        error: expect.stringMatching(/DeliveryTimeoutError/),
      });
      expect(runs).toBe(0);
    };
    const expectRetry = async () => {
      await host.pass(20);
      expect(await delivery()).toMatchObject({ state: 'done', attempt: 2 });
      expect(await charges()).toEqual(['EV_1']);
    };

    testOnPostgres(
      'before its transaction begins, because its connection was cut in silence, is retried',
      async () => {
        await bootHasty();
        await proxy?.fail('freeze');
        await host.receive(['EV_1', 'room_started']);
        await expectTimeout();
        await proxy?.mend();
        await expectRetry();
      },
    );

    testOnPostgres('before it has a connection leaves the one that comes late to others', async () => {
      await bootHasty({ poolSize: 1 });
      const other = hosts?.createQueryRunner();
      await other?.connect();
      await host.receive(['EV_1', 'room_started']);
      await expectTimeout();
      await other?.release();
      await expectRetry();
    });

    testOnPostgres('while it is committed is acknowledged with what it wrote, or not at all', async () => {
      await bootHasty();
      for (const made of [
        `CREATE FUNCTION linger() RETURNS trigger AS $$
           BEGIN PERFORM pg_advisory_xact_lock(${HELD_UP}); RETURN NULL; END
         $$ LANGUAGE plpgsql`,
        `CREATE CONSTRAINT TRIGGER lingers AFTER INSERT ON charges DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION linger()`,
      ]) {
        await sqlQuery(database.url, made);
      }
      const holding = new pg.Client({ connectionString: database.url });
      await holding.connect();
      try {
        await holding.query(`SELECT pg_advisory_lock(${HELD_UP})`);
        await host.receive(['EV_1', 'room_started']);
        const committing = `SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'advisory'`;
        await until('the commit', async () => (await sqlQuery(database.url, committing)).length === 1);
        await proxy?.fail('freeze');
      } finally {
        await holding.end(); // and lets it be committed
      }
      await host.deliveries.drain();
      expect(await delivery()).toMatchObject({ state: 'done', attempt: 1 });
      expect(await charges()).toEqual(['EV_1']);
      expect(runs).toBe(1);
    });
  });

  /** Nothing that a handler charged for the first event is kept, and that is what its delivery has come to. */
  const expectNothingKept = async (handlers: Type, handler: string, state: string, error: RegExp) => {
    await boot(handlers);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(await charges()).toEqual([]);
    const [delivery] = (await host.deliveries.list({ handler })).deliveries;
    expect(delivery).toMatchObject({ state, error: expect.stringMatching(error) });
  };
  const ENDED = /TransactionEndError: .* committed when your function returns/;

  test.each(['commitTransaction', 'rollbackTransaction', 'release'] as const)(
    'can not end its transaction by itself (%s)',
    async (end) => {
      @Injectable()
      class Ends {
        @OnLivekitEvent('room_started', { name: 'ends', transactional: true, maxAttempts: 1 })
        async bill({ id }: Started, { manager }: TransactionalDeliveryContext) {
          await manager.insert(Charge, { eventId: id, cents: 1 });
          await manager.queryRunner?.[end]();
        }
      }
      await expectNothingKept(Ends, 'ends', 'dead', ENDED);
    },
  );

  test.each(['COMMIT', 'ROLLBACK'])('is not acknowledged once it has sent %s by itself', async (end) => {
    @Injectable()
    class Ends {
      @OnLivekitEvent('room_started', { name: 'ends', transactional: true, maxAttempts: 1 })
      async bill({ id }: Started, { manager }: TransactionalDeliveryContext) {
        await manager.query(end);
        await manager.insert(Charge, { eventId: id, cents: 1 }).catch(() => undefined);
      }
    }
    await expectNothingKept(Ends, 'ends', 'dead', ENDED);
  });

  testOnPostgres(
    'keeps its lease and is acknowledged, however the host isolates its transactions',
    async () => {
      const versionOf = async (): Promise<unknown> =>
        (await sqlQuery<{ xmin: unknown }>(database.url, 'SELECT xmin FROM livekit_deliveries'))[0]?.xmin;
      @Injectable()
      class Long {
        @OnLivekitEvent('room_started', { name: 'long', transactional: true, lease: 1_000, maxAttempts: 1 })
        async bill({ id }: Started, { manager }: TransactionalDeliveryContext) {
          await manager.insert(Charge, { eventId: id, cents: 1 });
          const claimed = await versionOf();
          await until('the lease to be renewed', async () => (await versionOf()) !== claimed);
        }
      }
      await boot(Long, { isolation: 'serializable' });
      await host.receive(['EV_1', 'room_started']);
      await host.deliveries.drain();
      const { deliveries } = await host.deliveries.list({ handler: 'long' });
      expect(deliveries).toMatchObject([{ state: 'done' }]);
      expect(await charges()).toEqual(['EV_1']);
    },
  );

  testOnSqlite('on SQLite has a second, and is told the cure', async () => {
    @Injectable()
    class TooSlow {
      @OnLivekitEvent('room_started', { name: 'too-slow', transactional: true, maxAttempts: 1 })
      async bill(_: Started, { manager, signal }: TransactionalDeliveryContext) {
        await manager.query('SELECT 1');
        await new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason)),
        );
      }
    }
    await boot(TooSlow);
    await host.receive(['EV_1', 'room_started']);
    const webhooks = Promise.all([host.deliveries.drain(), host.receive(['EV_2', 'room_finished'])]);
    await webhooks;
    const [delivery] = (await host.deliveries.list({ handler: 'too-slow' })).deliveries;
    expect(delivery?.error).toMatch(/rolled back after 1000 ms, because webhooks wait.*await nothing in it/s);
  });

  testOnSqlite('takes the time that it takes if it is ours', async () => {
    const busy = (seconds: number) => {
      for (const end = performance.now() + seconds * 1_000; performance.now() < end;);
    };
    await boot(
      handlerOf('ours', () => busy(1.2), { names: ['room_started'], transactional: true, internal: true }),
    );
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    const { deliveries } = await host.deliveries.list({ handler: 'ours' });
    expect(deliveries).toMatchObject([{ state: 'done', attempt: 1 }]);
  });

  test('that goes on after a failure that rolls all of it back is not acknowledged, and run again', async () => {
    const again = onPostgres
      ? 'INSERT INTO charges VALUES ($1, 100)'
      : 'INSERT OR ROLLBACK INTO charges VALUES (?, 100)';
    @Injectable()
    class Swallows {
      @OnLivekitEvent('room_started', { name: 'swallows', transactional: true, backoff: () => 10 })
      async bill({ id }: Started, { manager, attempt }: TransactionalDeliveryContext) {
        await manager.insert(Charge, { eventId: id, cents: 100 });
        if (attempt === 1) await manager.query(again, [id]).catch(() => undefined);
      }
    }
    const lost =
      /TransactionLostError: .* \((?:23505|SQLITE_CONSTRAINT_PRIMARYKEY)\).* let what a statement throws through/;
    await expectNothingKept(Swallows, 'swallows', 'pending', lost);
    await host.pass(20);
    expect(await charges()).toEqual(['EV_1']);
  });

  testOnSqlite("a host writes to the file in the store's own transactions, and only there", async () => {
    const kept: EntityManager[] = [];
    @Injectable()
    class Nothing {
      @OnLivekitEvent('room_started', { name: 'nothing' })
      take(_: Started, _delivery: DeliveryContext) {}
    }
    await boot(Nothing);
    const store = host.app.get(EventStore);
    await store.transaction(async (manager) => {
      kept.push(manager);
      await manager.insert(Charge, { eventId: 'host', cents: 1 });
      await host.log.appendIn(manager, 'order.created', {});
    });
    expect(await charges()).toEqual(['host']);
    await expect(kept[0]?.insert(Charge, { eventId: 'late', cents: 1 })).rejects.toThrow(/has ended/);
    await expect(host.log.appendIn(kept[0] as EntityManager, 'order.created', {})).rejects.toThrow(
      /EventStore.transaction/,
    );
  });
});

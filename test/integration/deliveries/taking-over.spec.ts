import { Injectable } from '@nestjs/common';
import pg from 'pg';
import type { DeliveryContext } from '../../../src/event-log/handlers/context.js';
import type { LivekitEvent } from '../../../src/livekit-webhook/livekit-events.js';
import { OnLivekitEvent } from '../../../src/livekit-webhook/on-livekit-event.decorator.js';
import { type FreshDatabase, freshDatabase, sqlQuery } from '../../support/database.js';
import { bootHandlers, type HandlerHost } from '../../support/handlers.js';
import { holdWrites } from '../../support/hold-writes.js';
import { testOnPostgres } from '../../support/only-on.js';
import { until } from '../../support/until.js';
import { NOW } from '../../support/webhook.js';

type Started = LivekitEvent<'room_started'>;

/** The shortest there is; it is renewed after a third of it. */
const LEASE = 1_000;

describe('what a process was running', () => {
  let database: FreshDatabase;
  let host: HandlerHost;
  let locks: pg.Client | undefined;

  const boot = async (provider: new () => object) => {
    host = await bootHandlers({ url: database.url, providers: [provider] });
  };

  /** Stores events that another process had claimed, and whose lease is over: taken when the handler is resumed. */
  const leaveBehind = async (...ids: string[]): Promise<void> => {
    await host.deliveries.pause('take');
    await host.receive(...ids.map((id): [string, string] => [id, 'room_started']));
    await host.deliveries.drain();
    await sqlQuery(
      database.url,
      "UPDATE livekit_deliveries SET state = 'running', attempt = 1, lease_token = 'of the dead', lease_until = ?",
      [NOW - 1],
    );
  };

  /** Locks the delivery of an event, as a transaction does that acknowledges it, until the test is over. */
  const lock = async (id: string): Promise<void> => {
    locks = new pg.Client({ connectionString: database.url });
    await locks.connect();
    await locks.query('BEGIN');
    await locks.query(
      `SELECT 1 FROM livekit_deliveries d JOIN livekit_events e ON e.seq = d.event_seq
       WHERE e.event_id = $1 FOR UPDATE OF d`,
      [id],
    );
  };

  const leaseOf = async (id: string): Promise<number> => {
    const [row] = await sqlQuery<{ until: number | string }>(
      database.url,
      `SELECT d.lease_until AS until FROM livekit_deliveries d JOIN livekit_events e ON e.seq = d.event_seq
       WHERE e.event_id = ?`,
      [id],
    );
    return Number(row?.until);
  };

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    await locks?.end();
    locks = undefined;
    await host.app.close();
    await database.drop();
  });

  test('is run by another when its lease is over, however busy that one is', async () => {
    const done = new Set<string>();
    @Injectable()
    class Busy {
      @OnLivekitEvent('room_started', { name: 'take', lease: LEASE })
      take({ id }: Started) {
        done.add(id);
      }
    }
    await boot(Busy);
    await leaveBehind('EV_left');
    await host.deliveries.resume('take');
    for (let n = 0; n < 5_000 && !done.has('EV_left'); n += 1)
      await host.receive([`EV_${n}`, 'room_started']);
    expect([...done]).toContain('EV_left');
  });

  test('and has done is not done again because the store could not be told of it for a while', async () => {
    const keys: string[] = [];
    let broken: Awaited<ReturnType<typeof holdWrites>> | undefined;
    @Injectable()
    class Done {
      @OnLivekitEvent('room_started', { name: 'take' })
      async take(_: Started, { idempotencyKey }: DeliveryContext) {
        keys.push(idempotencyKey);
        broken = await holdWrites(database.url);
      }
    }
    await boot(Done);
    await host.receive(['EV_1', 'room_started']);
    await until('the store to fail', () => /the store failed a turn/.test(host.logger.text()), 20_000);
    await broken?.release();
    await host.deliveries.drain();
    expect(keys).toEqual(['default/EV_1/take']);
    const [delivery] = (await host.deliveries.list({ handler: 'take' })).deliveries;
    expect(delivery).toMatchObject({ state: 'done', attempt: 1 });
  });

  testOnPostgres(
    'is run by another even while the server holds some of it locked for a machine that is gone',
    async () => {
      const done: string[] = [];
      @Injectable()
      class Heir {
        @OnLivekitEvent('room_started', { name: 'take' })
        take({ id }: Started) {
          done.push(id);
        }
      }
      await boot(Heir);
      await leaveBehind('EV_locked', 'EV_left');
      await lock('EV_locked');
      await host.deliveries.resume('take');
      await host.deliveries.drain();
      expect(done).toEqual(['EV_left']);
      await locks?.query('ROLLBACK');
      await host.deliveries.drain();
      expect(done).toEqual(['EV_left', 'EV_locked']);
    },
  );

  testOnPostgres('keeps its lease while another transaction of that process settles some of it', async () => {
    const running = new Map<string, AbortSignal>();
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    @Injectable()
    class Long {
      @OnLivekitEvent('room_started', { name: 'take', lease: LEASE })
      async take({ id }: Started, { signal }: DeliveryContext) {
        running.set(id, signal);
        await ended;
      }
    }
    await boot(Long);
    await host.receive(['EV_locked', 'room_started'], ['EV_1', 'room_started']);
    await until('both to run', () => running.size === 2);
    await lock('EV_locked');
    host.clock.advance(500);
    await until('a renewal', async () => (await leaseOf('EV_1')) === NOW + 500 + LEASE);
    expect(await leaseOf('EV_locked')).toBe(NOW + LEASE);
    await locks?.query('ROLLBACK');
    await until('the next renewal', async () => (await leaseOf('EV_locked')) === NOW + 500 + LEASE);
    expect([...running.values()].map(({ aborted }) => aborted)).toEqual([false, false]);
    end();
    await host.deliveries.drain();
  });
});

import { Injectable } from '@nestjs/common';
import { EventStore } from '../../../src/database/event-store.js';
import {
  type AppEvent,
  type DeadDelivery,
  OnAppEvent,
  OnDeliveryEvent,
} from '../../../src/event-log/handlers/on-app-event.decorator.js';
import type { BatchContext, DeliveryContext } from '../../../src/event-log/handlers/context.js';
import { DiscardDelivery, RetryAfter } from '../../../src/event-log/handlers/outcomes.js';
import type { LivekitEvent } from '../../../src/livekit-webhook/livekit-events.js';
import { OnLivekitEvent } from '../../../src/livekit-webhook/on-livekit-event.decorator.js';
import { type FreshDatabase, freshDatabase, onPostgres, sqlQuery } from '../../support/database.js';
import { allowAtOnce } from '../../support/few-at-once.js';
import { bootHandlers, handlerOf, type HandlerHost, type HandlerHostShape } from '../../support/handlers.js';

describe('a durable handler', () => {
  let database: FreshDatabase;
  const hosts: HandlerHost[] = [];

  const boot = async (provider: NonNullable<HandlerHostShape['providers']>[number]): Promise<HandlerHost> => {
    const host = await bootHandlers({ url: database.url, providers: [provider] });
    hosts.push(host);
    return host;
  };
  const statesOf = async (host: HandlerHost, handler: string) =>
    (await host.deliveries.list({ handler })).deliveries.map(({ state }) => state).toReversed();

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.app.close();
    await database.drop();
  });

  test('is given each event it names, once, decoded, with what it may rely on', async () => {
    const given: [LivekitEvent<'room_started' | 'room_finished'>, DeliveryContext][] = [];
    @Injectable()
    class Rooms {
      @OnLivekitEvent(['room_started', 'room_finished'], { name: 'rooms' })
      take(event: LivekitEvent<'room_started' | 'room_finished'>, delivery: DeliveryContext) {
        given.push([event, delivery]);
      }
    }
    const host = await boot(Rooms);
    await host.receive(
      ['EV_1', 'room_started', 'RM_1'],
      ['EV_2', 'track_published', 'RM_1'],
      ['EV_3', 'room_finished', 'RM_1'],
    );
    await host.deliveries.drain();
    expect(given.map(([{ event, room }]) => [event, room.sid])).toEqual([
      ['room_started', 'RM_1'],
      ['room_finished', 'RM_1'],
    ]);
    expect(given[0]?.[1]).toMatchObject({
      handler: 'rooms',
      idempotencyKey: 'default/EV_1/rooms',
      attempt: 1,
      maxAttempts: 20,
      replay: 0,
    });
    expect(await statesOf(host, 'rooms')).toEqual(['done', 'done']);
  });

  test('is filed under its class and method unless it has a name, and may have several decorators', async () => {
    const given: string[] = [];
    @Injectable()
    class Several {
      @OnLivekitEvent('room_started')
      @OnLivekitEvent('room_finished')
      @OnAppEvent('order.created')
      take(event: LivekitEvent<'room_started' | 'room_finished'> | AppEvent) {
        given.push('event' in event ? event.event : event.name);
      }
    }
    const host = await boot(Several);
    await host.receive(['EV_1', 'room_started'], ['EV_2', 'room_finished']);
    await host.log.append('order.created', { id: 7 });
    await host.deliveries.drain();
    expect(given.sort()).toEqual(['order.created', 'room_finished', 'room_started']);
    expect(await statesOf(host, 'Several.take')).toEqual(['done', 'done', 'done']);
  });

  test('is tried again when it throws, later each time, until it succeeds', async () => {
    const attempts: number[] = [];
    @Injectable()
    class Flaky {
      @OnLivekitEvent('room_started', { name: 'flaky', backoff: { first: 1_000, longest: 4_000 } })
      take(_: LivekitEvent<'room_started'>, { attempt }: DeliveryContext) {
        attempts.push(attempt);
        if (attempt < 4) throw new Error(`not yet: ${attempt}`);
      }
    }
    const host = await boot(Flaky);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(attempts).toEqual([1]);
    await host.pass(700); // a second, less a fifth at most
    expect(attempts).toEqual([1]);
    await host.pass(600);
    expect(attempts).toEqual([1, 2]);
    await host.pass(2_400);
    expect(attempts).toEqual([1, 2, 3]);
    await host.pass(4_800);
    expect(attempts).toEqual([1, 2, 3, 4]);
    const [delivery] = (await host.deliveries.list({ handler: 'flaky' })).deliveries;
    const told = await host.deliveries.get(delivery?.id ?? 0);
    expect(told).toMatchObject({ state: 'done', attempt: 4 });
    expect(told?.attempts.map(({ attempt, error }) => [attempt, error.split('\n')[0]])).toEqual([
      [1, 'Error: not yet: 1'],
      [2, 'Error: not yet: 2'],
      [3, 'Error: not yet: 3'],
    ]);
  });

  test('is a dead letter when it is out of attempts; others flow on; and a replay after the fix works', async () => {
    const done: string[] = [];
    const dead: DeadDelivery[] = [];
    let isFixed = false;
    @Injectable()
    class Poisoned {
      @OnLivekitEvent('room_started', { name: 'poisoned', maxAttempts: 3, backoff: () => 10 })
      take({ id }: LivekitEvent<'room_started'>) {
        if (id === 'EV_poison' && !isFixed) throw new TypeError('cannot read it');
        done.push(id);
      }

      @OnDeliveryEvent('delivery.dead', { name: 'alarm' })
      alarm({ data }: AppEvent<DeadDelivery>) {
        dead.push(data);
      }
    }
    const host = await boot(Poisoned);
    await host.receive(
      ['EV_1', 'room_started', 'RM'],
      ['EV_poison', 'room_started', 'RM'],
      ['EV_2', 'room_started', 'RM'],
    );
    await host.deliveries.drain();
    expect(done).toEqual(['EV_1', 'EV_2']);
    await host.pass(100);
    await host.pass(100);
    await host.deliveries.drain();
    const [letter] = (await host.deliveries.list({ handler: 'poisoned', state: 'dead', room: 'RM' }))
      .deliveries;
    expect(letter).toMatchObject({ attempt: 3, event: { id: 'EV_poison', roomName: 'name-of-RM' } });
    expect(letter?.error).toMatch(/^TypeError: cannot read it/);
    expect(dead).toMatchObject([
      { deliveryId: letter?.id, handler: 'poisoned', attempts: 3, event: { id: 'EV_poison' } },
    ]);
    isFixed = true;
    const replayed = await host.deliveries.replay(letter?.id ?? 0);
    await host.deliveries.drain();
    expect(done).toEqual(['EV_1', 'EV_2', 'EV_poison']);
    expect(await host.deliveries.get(replayed)).toMatchObject({ state: 'done', replay: 1 });
    expect(await host.deliveries.get(letter?.id ?? 0)).toMatchObject({ state: 'replayed' });
  });

  test('has its deliveries listed and replayed however many others lie between them', async () => {
    const given: string[] = [];
    @Injectable()
    class Rare {
      @OnLivekitEvent('room_started', { name: 'rare' })
      take({ id }: LivekitEvent<'room_started'>) {
        given.push(id);
      }
    }
    const host = await boot(Rare);
    const farOff = onPostgres
      ? 'ALTER TABLE livekit_deliveries ALTER COLUMN id RESTART WITH 3000000'
      : "UPDATE sqlite_sequence SET seq = 3000000 WHERE name = 'livekit_deliveries'";
    await host.receive(['EV_1', 'room_started', 'RM']);
    await host.deliveries.drain();
    await sqlQuery(database.url, farOff);
    await host.receive(['EV_2', 'room_started', 'RM']);
    await host.deliveries.drain();
    const newest = await host.deliveries.list({ room: 'RM', limit: 1 });
    const oldest = await host.deliveries.list({ room: 'RM', limit: 1, cursor: newest.nextCursor ?? '' });
    expect([newest, oldest].map(({ deliveries }) => deliveries[0]?.event.id)).toEqual(['EV_2', 'EV_1']);
    expect(oldest.nextCursor).toBeNull();
    expect(await host.deliveries.replayAll({ state: 'done', room: 'RM' })).toBe(2);
    await host.deliveries.drain();
    expect(given).toEqual(['EV_1', 'EV_2', 'EV_1', 'EV_2']);
  });

  test('says itself that there is nothing to be done, or when to try again', async () => {
    const tried: string[] = [];
    @Injectable()
    class Decided {
      @OnLivekitEvent('room_started', { name: 'decided' })
      take({ id }: LivekitEvent<'room_started'>, { attempt }: DeliveryContext) {
        tried.push(`${id} ${attempt}`);
        if (id === 'EV_none') throw new DiscardDelivery('no such order');
        if (attempt === 1) throw new RetryAfter(60_000);
      }
    }
    const host = await boot(Decided);
    await host.receive(['EV_none', 'room_started'], ['EV_later', 'room_started']);
    await host.deliveries.drain();
    await host.pass(59_000);
    expect(tried.sort()).toEqual(['EV_later 1', 'EV_none 1']);
    await host.pass(1_000);
    expect(tried.sort()).toEqual(['EV_later 1', 'EV_later 2', 'EV_none 1']);
    expect(await statesOf(host, 'decided')).toEqual(['discarded', 'done']);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['text', 'just text'],
    ['an object', { code: 7 }],
    ['an error whose stack is no text', Object.assign(new Error('odd'), { stack: { line: 7 } })],
    [
      'an object that fails to be shown',
      {
        [Symbol.for('nodejs.util.inspect.custom')]: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'an object that refuses to say what it is',
      new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new Error('no');
          },
        },
      ),
    ],
    [
      'an object that refuses to be read',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
          ownKeys: () => {
            throw new Error('no');
          },
        },
      ),
    ],
  ])('may throw %s', async (_, thrown) => {
    @Injectable()
    class Thrower {
      @OnLivekitEvent('room_started', { name: 'thrower', maxAttempts: 1 })
      take() {
        throw thrown;
      }
    }
    const host = await boot(Thrower);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(await statesOf(host, 'thrower')).toEqual(['dead']);
  });

  test('that never returns is given up after its time, and so is one that heeds its signal', async () => {
    const reasons: string[] = [];
    @Injectable()
    class Endless {
      @OnLivekitEvent('room_started', { name: 'never', timeout: 20, maxAttempts: 1 })
      never() {
        return new Promise(() => undefined);
      }

      @OnLivekitEvent('room_started', { name: 'waits', timeout: 20, maxAttempts: 1 })
      async waits(_: LivekitEvent<'room_started'>, { signal }: DeliveryContext) {
        await new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            reasons.push((signal.reason as Error).name);
            reject(signal.reason as Error);
          }),
        );
      }

      @OnLivekitEvent('room_started', { name: 'quick' })
      quick() {}
    }
    const host = await boot(Endless);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(await statesOf(host, 'quick')).toEqual(['done']);
    expect(reasons).toEqual(['DeliveryTimeoutError']);
    for (const handler of ['never', 'waits']) {
      const [delivery] = (await host.deliveries.list({ handler })).deliveries;
      expect(delivery?.state).toBe('dead');
      expect(delivery?.error).toMatch(/DeliveryTimeoutError: Endless\.\w+ did not end within 20 ms/);
    }
  });

  test('takes batches, and one bad member of a batch spoils nothing for the others', async () => {
    const batches: string[][] = [];
    const done = new Set<string>();
    @Injectable()
    class Batches {
      @OnLivekitEvent('room_started', { name: 'batches', batch: 10, maxAttempts: 2, backoff: () => 10 })
      take(events: LivekitEvent<'room_started'>[], { deliveries }: BatchContext) {
        expect(deliveries).toHaveLength(events.length);
        batches.push(events.map(({ id }) => id));
        if (events.some(({ id }) => id === 'EV_bad')) throw new Error('one of them is bad');
        for (const { id } of events) done.add(id);
      }
    }
    const host = await boot(Batches);
    const ids = Array.from({ length: 9 }, (_, index) => `EV_${index}`);
    await host.receive(...ids.map((id) => [id, 'room_started'] as [string, string]), [
      'EV_bad',
      'room_started',
    ]);
    await host.deliveries.drain();
    await host.pass(100);
    expect([...done].sort()).toEqual(ids);
    expect(batches.filter((batch) => batch.includes('EV_bad')).map(({ length }) => length)).toEqual([
      10, 1, 1,
    ]);
    expect((await statesOf(host, 'batches')).filter((state) => state === 'dead')).toHaveLength(1);
  });

  test('is given fewer at once when the store fails to hand out as many as it would take', async () => {
    const sizes: number[] = [];
    const host = await boot(
      handlerOf('greedy', (events: unknown[]) => sizes.push(events.length), { batch: 200 }),
    );
    await host.deliveries.drain();
    await allowAtOnce(database.url, 100);
    await host.deliveries.pause('greedy');
    await host.receive(
      ...Array.from({ length: 150 }, (_, n): [string, string] => [`EV_${n}`, 'room_started']),
    );
    await host.deliveries.resume('greedy');
    await host.deliveries.drain();
    expect(sizes).toEqual(onPostgres ? [100, 50] : [150]);
  });

  test('runs as many at once as it wants, and no more', async () => {
    let running = 0;
    let most = 0;
    @Injectable()
    class Three {
      @OnLivekitEvent('room_started', { name: 'three', concurrency: 3 })
      async take() {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
      }
    }
    const host = await boot(Three);
    await host.receive(
      ...Array.from({ length: 20 }, (_, n) => [`EV_${n}`, 'room_started'] as [string, string]),
    );
    await host.deliveries.drain();
    expect(most).toBe(3);
    expect(new Set(await statesOf(host, 'three'))).toEqual(new Set(['done']));
  });

  test('is not run while it is paused, and goes on when it is resumed', async () => {
    const given: string[] = [];
    @Injectable()
    class Paused {
      @OnLivekitEvent('room_started', { name: 'paused' })
      take({ id }: LivekitEvent<'room_started'>) {
        given.push(id);
      }
    }
    const host = await boot(Paused);
    await host.deliveries.pause('paused');
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(given).toEqual([]);
    expect(await host.deliveries.lag()).toMatchObject([{ handler: 'paused', pending: 1, paused: true }]);
    await host.deliveries.resume('paused');
    await host.deliveries.drain();
    expect(given).toEqual(['EV_1']);
  });

  test('is run again when a process died with it, though it had one attempt; but not for ever', async () => {
    const given: string[] = [];
    @Injectable()
    class Once {
      @OnLivekitEvent('room_started', { name: 'once', maxAttempts: 1 })
      take({ id }: LivekitEvent<'room_started'>) {
        given.push(id);
      }
    }
    const host = await boot(Once);
    const leaveRunning = (attempt: number) =>
      host.app
        .get(EventStore)
        .write((manager) =>
          manager.query(
            `UPDATE livekit_deliveries SET state = 'running', attempt = ${attempt}, lease_until = 0 WHERE state = 'pending'`,
          ),
        );
    for (const [id, attempt] of [
      ['EV_died_once', 1],
      ['EV_deadly', 4],
    ] as const) {
      await host.deliveries.pause('once');
      await host.receive([id, 'room_started']);
      await host.deliveries.drain();
      await leaveRunning(attempt);
      await host.deliveries.resume('once');
      await host.deliveries.drain();
    }
    expect(given).toEqual(['EV_died_once']);
    expect(await statesOf(host, 'once')).toEqual(['done', 'dead']);
    const [deadly] = (await host.deliveries.list({ state: 'dead' })).deliveries;
    expect(deadly?.error).toMatch(/every process .* Once\.take .* has died/);
  });
});

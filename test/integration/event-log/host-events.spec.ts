import { Injectable } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import { DataSource, type EntityManager } from 'typeorm';
import { EventStore } from '../../../src/database/event-store.js';
import { HostEventError } from '../../../src/event-log/errors.js';
import type { HostEventOptions } from '../../../src/event-log/append/host-draft.js';
import type { LoggedEvent } from '../../../src/event-log/events.js';
import { type AppEvent, OnAppEvent } from '../../../src/event-log/handlers/on-app-event.decorator.js';
import { OnLivekitEvent } from '../../../src/livekit-webhook/on-livekit-event.decorator.js';
import type { LivekitEvent } from '../../../src/livekit-webhook/livekit-events.js';
import { onPostgres } from '../../support/database.js';
import { handlerHosts, handlerOf, type HandlerHost } from '../../support/handlers.js';
import { describeOnPostgres } from '../../support/only-on.js';
import { countOf } from '../../support/rows.js';

const heard: AppEvent[] = [];

@Injectable()
class Orders {
  @OnAppEvent('order.created', { name: 'orders' })
  take(event: AppEvent) {
    heard.push(event);
  }
}

describe("an event of the host's", () => {
  const hosts = handlerHosts();
  let host: HandlerHost;

  const data = () => heard.map((event) => event.data);

  beforeEach(async () => {
    heard.length = 0;
    host = await hosts.boot([Orders]);
  });

  test('is handled as it was appended', async () => {
    const outcome = await host.log.append(
      'order.created',
      { id: 7, items: ['ü', null], nested: { yes: true } },
      {
        id: 'order-7',
        project: 'shop',
        room: { sid: 'RM_1', name: 'call-1' },
        occurredAt: 1_700_000_000_000,
      },
    );
    expect(outcome).toBe('accepted');
    await host.deliveries.drain();
    expect(heard).toEqual([
      {
        id: 'order-7',
        name: 'order.created',
        project: 'shop',
        occurredAt: 1_700_000_000_000,
        room: { sid: 'RM_1', name: 'call-1' },
        data: { id: 7, items: ['ü', null], nested: { yes: true } },
      },
    ]);
  });

  test('may have the id of a webhook: neither is taken for the other', async () => {
    await host.receive(['EV_1', 'room_started']);
    expect(await host.log.append('order.created', 'before', { id: 'EV_1' })).toBe('accepted');
    await host.log.append('order.created', 'after', { id: 'EV_2' });
    await host.receive(['EV_2', 'room_started']);
    await host.deliveries.drain();
    expect(heard.map(({ id }) => id)).toEqual(['EV_1', 'EV_2']);
    expect(await countOf(hosts.url, 'livekit_events')).toBe(4);
    expect(await countOf(hosts.url, 'livekit_quarantine')).toBe(0);
  });

  test('has an id, a time and a project of its own unless told', async () => {
    await host.log.append('order.created', 1);
    await host.log.append('order.created', undefined);
    await host.deliveries.drain();
    expect(heard).toMatchObject([
      { data: 1, project: 'default', occurredAt: host.clock.now(), room: { sid: null, name: null } },
      { data: null },
    ]);
    expect(heard[0]?.id).not.toBe(heard[1]?.id);
  });

  test('is one event however often it is appended under one id, and with other data a conflict', async () => {
    const append = (n: number, project = 'default') =>
      host.log.append('order.created', { n }, { id: 'order-7', project });
    expect(await append(1)).toBe('accepted');
    expect(await append(1)).toBe('duplicate');
    expect(await append(2)).toBe('conflict');
    expect(await append(2, 'other')).toBe('accepted');
    await host.deliveries.drain();
    expect(data()).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test.each([
    'livekit.room_started',
    'session.settled',
    'delivery.dead',
    'livekit.',
    '',
    'two words',
    'naïve',
    "quote'd",
    'new\nline',
    'nul\0',
    '*',
    'n'.repeat(201),
    undefined as never,
  ])('is not named %p', async (name) => {
    await expect(host.log.append(name, {})).rejects.toThrow(HostEventError);
    const store = host.app.get(EventStore);
    await expect(store.transaction((manager) => host.log.appendIn(manager, name, {}))).rejects.toThrow(
      HostEventError,
    );
    expect(await countOf(hosts.url, 'livekit_events')).toBe(0);
  });

  const endless: { itself?: object } = {};
  endless.itself = endless;
  test.each([[{ cents: 1_00n }], [endless]])('has data that is JSON, unlike %p', async (amount) => {
    const refused = /^an event's `data` can't be written as JSON: it has a BigInt in it, say, or leads back/;
    await expect(host.log.append('order.paid', amount)).rejects.toThrow(refused);
    const store = host.app.get(EventStore);
    const appending = store.transaction((manager) => host.log.appendIn(manager, 'order.paid', amount));
    await expect(appending).rejects.toThrow(refused);
  });

  test.each(['a', 'livekit', 'livekit_x', 'Order/created:v2', 'n'.repeat(200)])(
    'may be named %p',
    async (name) => {
      expect(await host.log.append(name, {})).toBe('accepted');
    },
  );

  test('may hold any text in its options, and is told from others by it', async () => {
    const options = { id: 'a\0b', room: { name: 'half \ud83c', sid: '' } };
    expect(await host.log.append('order.created', 1, options)).toBe('accepted');
    expect(await host.log.append('order.created', 1, { id: 'a\0c' })).toBe('accepted');
    expect(await host.log.append('order.created', 1, options)).toBe('duplicate');
    await host.deliveries.drain();
    expect(heard[0]).toMatchObject({ id: 'a\u2400b', room: { name: 'half \ufffd', sid: null } });
  });

  test('is what it is whatever else its options have', async () => {
    const order = { id: 'order-7', kind: 'delivery', name: 'by van', data: 'theirs', traceparent: 'none' };
    expect(await host.log.append('order.created', 'ours', order)).toBe('accepted');
    await host.deliveries.drain();
    expect(heard).toMatchObject([{ id: 'order-7', name: 'order.created', data: 'ours' }]);
  });

  test.each<[string, HostEventOptions]>([
    ['id', { id: 'i'.repeat(256) }],
    ['project', { project: 'p'.repeat(256) }],
    ['room.sid', { room: { sid: 's'.repeat(256) } }],
    ['room.name', { room: { name: 'n'.repeat(513) } }],
    ['occurredAt', { occurredAt: 1.5 }],
    ['occurredAt', { occurredAt: NaN }],
    ['occurredAt', { occurredAt: Number.MAX_SAFE_INTEGER }],
  ])('has no %s that one of the databases could not take', async (option, options) => {
    await expect(host.log.append('order.created', 1, options)).rejects.toThrow(
      new RegExp(`^an event's \`${option}\` is `),
    );
    expect(await countOf(hosts.url, 'livekit_events')).toBe(0);
  });

  test('has no empty id, by which all that have none would be one', async () => {
    const message = "an event's `id` can't be empty";
    await expect(host.log.append('order.created', 1, { id: '' })).rejects.toThrow(message);
    const store = host.app.get(EventStore);
    const append = (manager: EntityManager) => host.log.appendIn(manager, 'order.created', 1, { id: '' });
    await expect(store.transaction(append)).rejects.toThrow(message);
    expect(await countOf(hosts.url, 'livekit_events')).toBe(0);
  });

  test('has an id of its own where its type was ignored, and none was given', async () => {
    const withoutId = { id: null as unknown as string };
    await host.log.append('order.created', 1, withoutId);
    await host.log.append('order.created', 2, withoutId);
    expect(await countOf(hosts.url, 'livekit_events')).toBe(2);
  });

  test('has options as long as they may be, and is handled', async () => {
    const room = { sid: random(255), name: random(512) };
    await host.log.append('order.created', 1, { id: random(255), project: random(255), room });
    await host.deliveries.drain();
    expect(heard).toMatchObject([{ room }]);
  });

  test('can be heard whatever its name, and nothing else with it', async () => {
    const all: string[] = [];
    @Injectable()
    class Everything {
      @OnAppEvent('*', { name: 'everything' })
      take({ name }: AppEvent) {
        all.push(name);
      }
    }
    await hosts.stop(host);
    host = await hosts.boot([Everything]);
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.log.append('order.created', {});
    await host.log.append('order.paid', {});
    await host.deliveries.drain();
    expect(all).toEqual(['order.created', 'order.paid']);
  });

  test("stands in one line with LiveKit's events of its room", async () => {
    const order: string[] = [];
    let isDown = true;
    @Injectable()
    class InOrder {
      @OnLivekitEvent('room_started', { name: 'in-order', ordering: 'room', backoff: () => 1_000 })
      @OnAppEvent('order.created', { name: 'in-order' })
      take({ id }: LivekitEvent<'room_started'> | AppEvent) {
        if (isDown && id === 'EV_1') throw new Error('not now');
        order.push(id);
      }
    }
    await hosts.stop(host);
    host = await hosts.boot([InOrder]);
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.log.append('order.created', {}, { id: 'order-1', room: { sid: 'RM_1' } });
    await host.log.append('order.created', {}, { id: 'order-2', room: { sid: 'RM_2' } });
    await host.receive(['EV_2', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    expect(order).toEqual(['order-2']);
    isDown = false;
    await host.pass(1_200);
    expect(order).toEqual(['order-2', 'EV_1', 'order-1', 'EV_2']);
  });

  describe('appended in a transaction', () => {
    test.each(['committed', 'rolled back'])("of the store's, that is %s", async (end) => {
      const isCommitted = end === 'committed';
      const work = host.app.get(EventStore).transaction(async (manager) => {
        expect(await host.log.appendIn(manager, 'order.created', 1, { id: 'a' })).toBe('accepted');
        expect(await host.log.appendIn(manager, 'order.created', 1, { id: 'a' })).toBe('duplicate');
        if (!isCommitted) throw new Error('changed my mind');
      });
      expect((await Promise.allSettled([work]))[0].status).toBe(isCommitted ? 'fulfilled' : 'rejected');
      await host.deliveries.drain();
      expect(data()).toEqual(isCommitted ? [1] : []);
      expect(await countOf(hosts.url, 'livekit_events')).toBe(isCommitted ? 1 : 0);
    });

    test('at once with others of it', async () => {
      const told: LoggedEvent[] = [];
      host.log.onCommitted((events) => told.push(...events));
      const outcomes = await host.app
        .get(EventStore)
        .transaction((manager) =>
          Promise.all([
            host.log.appendIn(manager, 'order.created', 1, { id: 'a' }),
            host.log.appendIn(manager, 'order.created', 2, { id: 'b' }),
            host.log.appendIn(manager, 'order.created', 1, { id: 'a' }),
          ]),
        );
      expect(outcomes).toEqual(['accepted', 'accepted', 'duplicate']);
      expect(told.map(({ eventId }) => eventId)).toEqual(['app:a', 'app:b']);
      await host.deliveries.drain();
      expect(data()).toEqual([1, 2]);
    });

    test("is announced to this process's listeners once it is committed, and only then", async () => {
      const told: LoggedEvent[] = [];
      host.log.onCommitted((events) => told.push(...events));
      const store = host.app.get(EventStore);
      await store.transaction(async (manager) => {
        await host.log.appendIn(manager, 'order.created', 1, { id: 'a' });
        expect(told).toEqual([]);
      });
      await store
        .transaction(async (manager) => {
          await host.log.appendIn(manager, 'order.created', 1, { id: 'b' });
          throw new Error('changed my mind');
        })
        .catch(() => undefined);
      expect(told.map(({ eventId }) => eventId)).toEqual(['app:a']);
    });

    test('of a transactional handler, nested and taken back in part', async () => {
      const handler = handlerOf<{ manager: EntityManager }>(
        'outbox',
        async (_, { manager }) => {
          await host.log.appendIn(manager, 'order.created', 'outer');
          await manager
            .transaction(async (inner) => {
              await host.log.appendIn(inner, 'order.created', 'inner');
              throw new Error('the inner one only');
            })
            .catch(() => undefined);
        },
        { transactional: true },
      );
      await hosts.stop(host);
      const dataSource = onPostgres ? await hostDataSource(hosts.url) : undefined;
      host = await hosts.boot([Orders, handler], {
        options: { database: { url: hosts.url, ...(dataSource && { handlers: dataSource }) } },
      });
      await host.receive(['EV_1', 'room_started', 'RM_1']);
      await host.deliveries.drain();
      expect(data()).toEqual(['outer']);
      await hosts.stop(host);
      await dataSource?.destroy();
    });

    test('is refused outside of one', async () => {
      const store = host.app.get(EventStore);
      let over: EntityManager | undefined;
      await store.transaction(async (manager) => void (over = manager));
      const managers = [over, await store.read(async (manager) => manager)];
      for (const manager of managers) {
        await expect(host.log.appendIn(manager as EntityManager, 'order.created', 1)).rejects.toThrow(
          onPostgres
            ? /in no transaction.*`dataSource.transaction\(…\)` gets, or call `append`/
            : /in no transaction.*`EventStore.transaction\(…\)` or a transactional handler gets, or call `append`/,
        );
      }
      expect(await countOf(hosts.url, 'livekit_events')).toBe(0);
    });
  });
});

describeOnPostgres("an event appended in a transaction of the host's own DataSource", () => {
  const hosts = handlerHosts();
  let host: HandlerHost;
  let dataSource: DataSource;

  beforeEach(async () => {
    heard.length = 0;
    host = await hosts.boot([Orders]);
    dataSource = await hostDataSource(hosts.url);
  });

  afterEach(async () => {
    await dataSource.destroy();
  });

  test('is there if that is committed', async () => {
    await dataSource.transaction(async (manager) => {
      expect(await host.log.appendIn(manager, 'order.created', 1)).toBe('accepted');
    });
    await host.deliveries.drain();
    expect(heard).toHaveLength(1);
  });

  test('never was if that is rolled back', async () => {
    const work = dataSource.transaction(async (manager) => {
      await host.log.appendIn(manager, 'order.created', 1);
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    await host.deliveries.drain();
    expect(await countOf(hosts.url, 'livekit_events')).toBe(0);
  });

  test('is refused outside of a transaction', async () => {
    await expect(host.log.appendIn(dataSource.manager, 'order.created', 1)).rejects.toThrow(HostEventError);
  });
});

/** Text that no database makes shorter, three bytes a character. */
const random = (length: number): string =>
  String.fromCharCode(...Array.from({ length }, () => randomInt(0x4e00, 0x9fff)));

/** A DataSource as a host has it. */
const hostDataSource = (url: string): Promise<DataSource> =>
  new DataSource({ type: 'postgres', url, installExtensions: false }).initialize();

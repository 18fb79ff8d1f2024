import type { DeliveryQuery } from '../../../src/event-log/deliveries/delivery.js';
import { DeliveryNotFoundError, DeliveryRequestError } from '../../../src/event-log/deliveries/errors.js';
import { handlerHosts, handlerOf, type HandlerHost } from '../../support/handlers.js';

const ids = (first: number, many: number) => Array.from({ length: many }, (_, n) => `EV_${first + n}`);

describe('the list of deliveries', () => {
  const hosts = handlerHosts();
  let host: HandlerHost;

  const listed = async (query: DeliveryQuery) =>
    (await host.deliveries.list(query)).deliveries.map(({ handler, event }) => `${handler} ${event.id}`);
  const fail = (event: { eventId: string }) => {
    if (event.eventId.startsWith('EV_bad')) throw new Error('a bad one');
  };

  beforeEach(async () => {
    host = await hosts.boot([
      handlerOf('good'),
      handlerOf('picky', fail, { maxAttempts: 2, backoff: () => 1_000 }),
    ]);
  });

  test('tells what there is to know of each, the newest first', async () => {
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.receive(['EV_bad', 'room_finished', 'RM_1']);
    await host.deliveries.drain();
    const { deliveries, nextCursor } = await host.deliveries.list({ handler: 'picky' });
    expect(nextCursor).toBeNull();
    expect(deliveries).toEqual([
      {
        id: expect.any(Number),
        handler: 'picky',
        state: 'pending',
        attempt: 1,
        replay: 0,
        dueAt: expect.any(Date),
        doneAt: null,
        error: expect.stringMatching(/^Error: a bad one\n +at /),
        event: {
          seq: 2,
          id: 'EV_bad',
          kind: 'livekit',
          name: 'room_finished',
          project: 'default',
          roomSid: 'RM_1',
          roomName: 'name-of-RM_1',
          occurredAt: expect.any(Date),
          receivedAt: expect.any(Date),
          traceparent: null,
        },
      },
      expect.objectContaining({
        state: 'done',
        attempt: 1,
        dueAt: null,
        doneAt: new Date(host.clock.now()),
        error: null,
      }),
    ]);
    const wait = Number(deliveries[0]?.dueAt) - host.clock.now();
    expect(wait).toBeGreaterThanOrEqual(800);
    expect(wait).toBeLessThanOrEqual(1_200);
  });

  test('is narrowed down by handler, state and room, by its sid or its name, and by all of them', async () => {
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.receive(['EV_bad1', 'room_started', 'RM_1']);
    await host.receive(['EV_bad2', 'room_started', 'RM_2']);
    await host.deliveries.drain();
    await host.pass(1_200);
    expect(await listed({ handler: 'good' })).toEqual(['good EV_bad2', 'good EV_bad1', 'good EV_1']);
    expect(await listed({ state: 'dead' })).toEqual(['picky EV_bad2', 'picky EV_bad1']);
    expect(await listed({ room: 'RM_2', handler: 'good' })).toEqual(['good EV_bad2']);
    expect(await listed({ room: 'name-of-RM_1', handler: 'picky' })).toEqual(['picky EV_bad1', 'picky EV_1']);
    expect(await listed({ handler: 'picky', state: 'dead', room: 'RM_1' })).toEqual(['picky EV_bad1']);
    expect(await listed({ handler: 'nobody' })).toEqual([]);
    expect(await listed({ room: "RM_1' OR 'a'='a" })).toEqual([]);
  });

  test('is paged without repeats or gaps, while more is added', async () => {
    await host.receive(...ids(0, 120).map((id): [string, string] => [id, 'room_started']));
    await host.deliveries.drain();
    const pages: number[][] = [];
    let cursor: string | null = null;
    do {
      const page = await host.deliveries.list({ limit: 50, cursor });
      pages.push(page.deliveries.map(({ id }) => id));
      cursor = page.nextCursor;
      await host.receive([`EV_late${pages.length}`, 'room_started']);
      await host.deliveries.drain();
    } while (cursor !== null);
    expect(pages.map(({ length }) => length)).toEqual([50, 50, 50, 50, 40]);
    const all = pages.flat();
    expect(new Set(all).size).toBe(240);
    expect(all).toEqual(all.toSorted((a, b) => b - a));
  });

  test('ends with a full page when there is no more', async () => {
    await host.receive(['EV_1', 'room_started'], ['EV_2', 'room_started']);
    await host.deliveries.drain();
    const page = await host.deliveries.list({ handler: 'good', limit: 2 });
    expect(page.deliveries).toHaveLength(2);
    expect(page.nextCursor).toBeNull();
  });

  test('gives 50 a page unless told, and up to 500', async () => {
    await host.receive(...ids(0, 260).map((id): [string, string] => [id, 'room_started']));
    await host.deliveries.drain();
    expect((await host.deliveries.list()).deliveries).toHaveLength(50);
    const most = await host.deliveries.list({ limit: 500 });
    expect(most.deliveries).toHaveLength(500);
    expect((await host.deliveries.list({ cursor: most.nextCursor })).deliveries).toHaveLength(20);
  });

  test.each<[string, object]>([
    ['limit', { limit: 0 }],
    ['limit', { limit: 501 }],
    ['limit', { limit: 2.5 }],
    ['limit', { limit: '50' }],
    ['cursor', { cursor: '' }],
    ['cursor', { cursor: '-1' }],
    ['cursor', { cursor: '1; DROP TABLE livekit_deliveries' }],
    ['state', { state: 'finished' }],
    ['state', { state: "done' OR 'a'='a" }],
  ])('refuses a bad %s: %p', async (option, query) => {
    const refused = host.deliveries.list(query);
    await expect(refused).rejects.toThrow(DeliveryRequestError);
    await expect(refused).rejects.toThrow(`\`${option}\``);
  });

  test('gives one delivery with every attempt that failed', async () => {
    await host.receive(['EV_bad', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    await host.pass(1_200);
    const [dead] = (await host.deliveries.list({ state: 'dead' })).deliveries;
    const told = await host.deliveries.get(dead?.id ?? 0);
    expect(told).toMatchObject({ ...dead, state: 'dead', attempt: 2 });
    expect(told?.attempts).toEqual(
      [1, 2].map((attempt) => ({
        attempt,
        failedAt: new Date(host.clock.now() - (attempt === 1 ? 1_200 : 0)),
        error: expect.stringMatching(/^Error: a bad one\n +at /),
      })),
    );
  });

  test.each([0, -1, 4711, 1.5, Number.NaN, 1e20])('has no delivery %p', async (id) => {
    expect(await host.deliveries.get(id)).toBeNull();
    await expect(host.deliveries.replay(id)).rejects.toThrow(`there is no delivery ${id}`);
    await expect(host.deliveries.dismiss(id)).rejects.toThrow(DeliveryNotFoundError);
  });

  test('finds nothing for text that no database can hold', async () => {
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    expect(await listed({ room: 'RM_1\0' })).toEqual([]);
    expect(await listed({ handler: 'good\0' })).toEqual([]);
  });
});

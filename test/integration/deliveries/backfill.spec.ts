import { EventStore } from '../../../src/database/event-store.js';
import {
  DeliveryNotFoundError,
  DeliveryRequestError,
  DeliveryStateError,
} from '../../../src/event-log/deliveries/errors.js';
import {
  handlerHosts,
  handlerOf,
  type HandlerHost,
  type TestHandlerOptions,
} from '../../support/handlers.js';
import { sqlQuery } from '../../support/database.js';

const HOUR = 3_600_000;

/** More events than one step of a backfill looks at, and more than a handler is given in advance. */
const MANY = 3_000;

describe('a backfill', () => {
  const hosts = handlerHosts();
  let host: HandlerHost;
  let given: string[];

  const recorder = (name: string, options: TestHandlerOptions = {}) =>
    handlerOf(name, ({ eventId }) => given.push(eventId.replace(/^app:/, '')), {
      kind: 'app',
      names: ['tick'],
      ...options,
    });
  const restart = async (...options: TestHandlerOptions[]) => {
    const { clock } = host;
    await host.deliveries.drain();
    await hosts.stop(host);
    host = await hosts.boot(
      options.map((some) => recorder('late', some)),
      { clock },
    );
    await host.deliveries.drain();
  };
  /** Appends one event an hour, of names in turn. */
  const tick = async (many: number, ...names: string[]) => {
    for (let n = 0; n < many; n++) {
      host.clock.advance(HOUR);
      await host.log.append(names[n % names.length] ?? 'tick', n, { id: `tick-${n}` });
    }
    await host.deliveries.drain();
  };
  const appendMany = async (many: number, prefix = 'tick') => {
    await Promise.all(
      Array.from({ length: many }, (_, n) => host.log.append('tick', n, { id: `${prefix}-${n}` })),
    );
  };
  const backfilling = async () => (await host.deliveries.lag())[0]?.backfilling;

  beforeEach(async () => {
    given = [];
    host = await hosts.boot([]);
  });

  test('does not happen by itself: a new handler begins with what is new', async () => {
    await tick(2);
    await restart({});
    expect(given).toEqual([]);
    await host.log.append('tick', 2, { id: 'new' });
    await host.deliveries.drain();
    expect(given).toEqual(['new']);
  });

  test('gives a handler what it hears of, and nothing else', async () => {
    await tick(6, 'tick', 'tock');
    await restart({});
    await host.deliveries.backfill('late');
    await host.deliveries.drain();
    expect(given).toEqual(['tick-0', 'tick-2', 'tick-4']);
    expect(await backfilling()).toBe(0);
  });

  test('leaves out what has lost its bytes', async () => {
    await tick(3);
    await host.app
      .get(EventStore)
      .write((manager) =>
        manager.query(
          "DELETE FROM livekit_bodies WHERE event_seq = (SELECT seq FROM livekit_events WHERE event_id = 'app:tick-1')",
        ),
      );
    await restart({ backfill: true });
    expect(given).toEqual(['tick-0', 'tick-2']);
    expect((await host.deliveries.list({ handler: 'late' })).deliveries).toHaveLength(2);
  });

  test('of an ordered handler puts nothing new of a room before what is old', async () => {
    await appendMany(MANY, 'old');
    const room = { sid: 'RM_1' };
    await host.log.append('tick', 0, { id: 'old-in-room', room });
    await host.deliveries.drain();
    const { clock } = host;
    await hosts.stop(host);
    host = await hosts.boot([recorder('late', { ordering: 'room', backfill: true })], { clock });
    for (let n = 0; n < 5; n++) await host.log.append('tick', n, { id: `new-${n}`, room });
    await host.deliveries.drain();
    expect(given.filter((id) => !/^old-\d/.test(id))).toEqual([
      'old-in-room',
      ...Array.from({ length: 5 }, (_, n) => `new-${n}`),
    ]);
    expect(new Set(given).size).toBe(MANY + 6);
    expect(await backfilling()).toBe(0);
  });

  test('of an ordered handler is not begun anew at a later start: what is new waits for the earlier one', async () => {
    await appendMany(MANY, 'old');
    await restart({ ordering: 'room' });
    await host.deliveries.pause('late'); // it is given a little, and no more until that is run
    await host.deliveries.backfill('late');
    for (let n = 0; n < 3; n++) await host.log.append('tick', n, { id: `new-${n}` });
    for (const later of [{ fromSeq: MANY + 2 }, { since: new Date(host.clock.now() + HOUR) }]) {
      const refused = host.deliveries.backfill('late', later);
      await expect(refused).rejects.toThrow(DeliveryStateError);
      await expect(refused).rejects.toThrow(/wait until `backfilling` is 0/);
    }
    await host.deliveries.backfill('late');
    await host.deliveries.resume('late');
    await host.deliveries.drain();
    expect(new Set(given).size).toBe(MANY + 3);
    await host.deliveries.backfill('late', { fromSeq: MANY });
    await host.deliveries.drain();
    expect(given).toHaveLength(MANY + 3);
  });

  test('goes back to a time', async () => {
    await tick(5);
    const since = new Date(host.clock.now() - 2 * HOUR); // the moment of tick-2
    await restart({});
    await host.deliveries.backfill('late', { since });
    await host.deliveries.drain();
    expect(given).toEqual(['tick-2', 'tick-3', 'tick-4']);
  });

  test('goes back to a place in the log', async () => {
    await tick(5);
    const [row] = await sqlQuery<{ seq: number }>(
      hosts.url,
      "SELECT seq FROM livekit_events WHERE event_id = 'app:tick-3'",
    );
    await restart({});
    await host.deliveries.backfill('late', { fromSeq: Number(row?.seq) });
    await host.deliveries.drain();
    expect(given).toEqual(['tick-3', 'tick-4']);
  });

  test('goes back to the later of a time and a place', async () => {
    await tick(5);
    await restart({});
    await host.deliveries.backfill('late', { since: new Date(host.clock.now()), fromSeq: 2 });
    await host.deliveries.drain();
    expect(given).toEqual(['tick-4']);
  });

  test('to a time after all that is stored gives nothing, and ends', async () => {
    await tick(2);
    await restart({});
    await host.deliveries.backfill('late', { since: new Date(host.clock.now() + HOUR) });
    await host.deliveries.drain();
    expect(given).toEqual([]);
    expect(await backfilling()).toBe(0);
  });

  test('gives nothing a second time: not what came in the ordinary way, and not what came by a backfill', async () => {
    await tick(2);
    await restart({});
    await host.log.append('tick', 2, { id: 'new' });
    await host.deliveries.drain();
    for (let time = 0; time < 2; time++) {
      await host.deliveries.backfill('late');
      await host.deliveries.drain();
    }
    expect(given).toEqual(['new', 'tick-0', 'tick-1']);
  });

  test('takes more than a step, each event once', async () => {
    await appendMany(MANY);
    await restart({});
    await host.deliveries.backfill('late');
    await host.deliveries.drain();
    expect(given).toHaveLength(MANY);
    expect(new Set(given).size).toBe(MANY);
  });

  test('lets what is new go first, and never puts more than a little in front of it', async () => {
    await appendMany(MANY);
    await host.deliveries.drain();
    const { clock } = host;
    await hosts.stop(host);
    host = await hosts.boot(
      [
        handlerOf(
          'late',
          async ({ eventId }) => {
            given.push(eventId);
            clock.advance(1);
            if (given.length === 100) {
              await host.log.append('tick', 0, { id: 'new' });
            }
          },
          { kind: 'app', names: ['tick'], concurrency: 1 },
        ),
      ],
      { clock },
    );
    await host.deliveries.backfill('late');
    await host.deliveries.drain();
    expect(given).toHaveLength(MANY + 1);
    expect(given.indexOf('new')).toBeLessThan(MANY - 1_000);
  });

  test('of a handler that is ordered goes through each room in the order of the log', async () => {
    for (let n = 0; n < 20; n++)
      await host.log.append('tick', n, { id: `${n % 2}-${n}`, room: { sid: `RM_${n % 2}` } });
    await restart({ ordering: 'room' });
    await host.deliveries.backfill('late');
    await host.deliveries.drain();
    for (const room of [0, 1]) {
      expect(given.filter((id) => id.startsWith(`${room}-`))).toEqual(
        Array.from({ length: 10 }, (_, n) => `${room}-${2 * n + room}`),
      );
    }
  });

  test('goes on after a restart from where it was', async () => {
    await appendMany(MANY);
    await restart({});
    await host.deliveries.pause('late');
    await host.deliveries.backfill('late');
    await restart({});
    await host.deliveries.resume('late');
    await host.deliveries.drain();
    expect(new Set(given).size).toBe(MANY);
    expect(given).toHaveLength(MANY);
  });

  describe('by the option of a new handler', () => {
    test('gives it all that is stored, at its first start only', async () => {
      await tick(3);
      await restart({ backfill: true });
      expect(given).toEqual(['tick-0', 'tick-1', 'tick-2']);
      await sqlQuery(hosts.url, 'DELETE FROM livekit_deliveries'); // as if pruned: only the option could bring them back
      await restart({ backfill: true });
      expect(given).toHaveLength(3);
    });

    test('gives it what was received since a date', async () => {
      await tick(3);
      await restart({ backfill: new Date(host.clock.now() - HOUR) });
      expect(given).toEqual(['tick-1', 'tick-2']);
    });

    test('gives nothing to one that was there before', async () => {
      await tick(3);
      await restart({});
      await restart({ backfill: true });
      expect(given).toEqual([]);
    });
  });

  test('is refused for a handler that nobody ever had', async () => {
    await expect(host.deliveries.backfill('nobody')).rejects.toThrow(DeliveryNotFoundError);
    await expect(host.deliveries.backfill('nobody')).rejects.toThrow('there is no handler `nobody`');
  });

  test.each<[string, object]>([
    ['since', { since: new Date('next tuesday') }],
    ['since', { since: '2026-11-23' }],
    ['fromSeq', { fromSeq: Number.NaN }],
    ['fromSeq', { fromSeq: 1.5 }],
    ['fromSeq', { fromSeq: 1e20 }],
  ])('from a bad %s is refused: %p', async (option, start) => {
    await tick(1);
    await restart({});
    const refused = host.deliveries.backfill('late', start);
    await expect(refused).rejects.toThrow(DeliveryRequestError);
    await expect(refused).rejects.toThrow(`\`${option}\``);
    await host.deliveries.drain();
    expect(given).toEqual([]);
  });
});

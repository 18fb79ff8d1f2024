import { EventStore } from '../../../src/database/event-store.js';
import type { LoggedEvent } from '../../../src/event-log/events.js';
import { HandlerKeeper } from '../../../src/event-log/handlers/handler-keeper.js';
import { HandlerRegistry } from '../../../src/event-log/handlers/handler-registry.js';
import { HandlerTable } from '../../../src/event-log/handlers/handler-table.js';
import { FailDelivery } from '../../../src/event-log/handlers/outcomes.js';
import { BLOCKED } from '../../../src/event-log/room-wait.js';
import { backlog } from '../../support/backlog.js';
import { AssignableClock } from '../../support/clock.js';
import { sqlQuery } from '../../support/database.js';
import { allowAtOnce, letWait } from '../../support/few-at-once.js';
import { gate } from '../../support/gate.js';
import {
  handlerHosts,
  handlerOf,
  type HandlerHost,
  type TestHandlerOptions,
} from '../../support/handlers.js';
import { describeOnPostgres } from '../../support/only-on.js';
import { countOf } from '../../support/rows.js';
import { until } from '../../support/until.js';
import { NOW } from '../../support/webhook.js';

const DAY = 86_400_000;

describe('over deploys', () => {
  const hosts = handlerHosts();
  let given: string[];
  let clock: AssignableClock;

  const recorder = (name: string, options?: TestHandlerOptions) =>
    handlerOf(name, ({ eventId }) => given.push(`${name} ${eventId}`), options);
  const deploy = (...names: string[]) =>
    hosts.boot(
      names.map((name) => recorder(name)),
      { clock },
    );
  /** What the runner does every hour. */
  const keepHouse = async (host: HandlerHost, ...names: string[]) => {
    const [table, store] = [host.app.get(HandlerTable), host.app.get(EventStore)];
    const retired = await store.write(async (manager) => {
      await table.keep(manager, names);
      return table.retire(manager);
    });
    await store.write((manager) => table.retireWaiting(manager));
    return retired;
  };
  const states = async (host: HandlerHost, handler: string) =>
    (await host.deliveries.list({ handler })).deliveries
      .map(({ event, state }) => `${event.id} ${state}`)
      .toReversed();

  beforeEach(() => {
    given = [];
    clock = new AssignableClock(NOW);
  });

  describe('a handler that is removed', () => {
    let host: HandlerHost;

    /** `gone` was there for one event, and is not there any more when the next two come. */
    beforeEach(async () => {
      const before = await deploy('gone', 'kept');
      await before.receive(['EV_1', 'room_started']);
      await before.deliveries.drain();
      await hosts.stop(before);
      host = await deploy('kept');
      await host.receive(['EV_2', 'room_started']);
      await host.receive(['EV_3', 'room_started']);
      await host.deliveries.drain();
      given = [];
    });

    test('is given deliveries all the same, which wait', async () => {
      expect(await states(host, 'gone')).toEqual(['EV_1 done', 'EV_2 pending', 'EV_3 pending']);
    });

    test('is given all that waited when it is back within seven days', async () => {
      clock.advance(7 * DAY);
      expect(await keepHouse(host, 'kept')).toEqual([]);
      await hosts.stop(host);
      host = await deploy('gone', 'kept');
      await host.deliveries.drain();
      expect(given.sort()).toEqual(['gone EV_2', 'gone EV_3']);
    });

    test('is not retired because the clock was ahead for a while', async () => {
      clock.advance(8 * DAY);
      await host.deliveries.drain();
      clock.time -= 8 * DAY;
      expect(await keepHouse(host, 'kept')).toEqual([]);
    });

    test('is retired after seven days, with what waits, and given nothing more', async () => {
      clock.advance(7 * DAY + 1);
      expect(await keepHouse(host, 'kept')).toEqual(['gone']);
      expect(await keepHouse(host, 'kept')).toEqual([]);
      await host.receive(['EV_4', 'room_started']);
      await host.deliveries.drain();
      expect(await states(host, 'gone')).toEqual(['EV_1 done', 'EV_2 retired', 'EV_3 retired']);
      expect(await states(host, 'kept')).toHaveLength(4);
      expect(await host.deliveries.lag()).toMatchObject([
        { handler: 'gone', retired: true, pending: 0, dead: 0 },
        { handler: 'kept', retired: false },
      ]);
    });

    test('is retired however much waits, and the others are kept', async () => {
      await letWait(hosts.url, 'gone', 2_500);
      await allowAtOnce(hosts.url, 1_000);
      clock.advance(7 * DAY + 1);
      await host.app.get(HandlerKeeper).keep();
      expect(host.logger.said('DeliveryRunner')).toEqual([expect.stringContaining('a handler is retired')]);
      expect(await host.deliveries.lag()).toMatchObject([
        { handler: 'gone', retired: true, pending: 0 },
        { handler: 'kept', retired: false },
      ]);
    });

    test('is retired in the end, though a process died while it retired what waits', async () => {
      clock.advance(7 * DAY + 1);
      await host.app.get(EventStore).write((manager) => host.app.get(HandlerTable).retire(manager));
      expect(await states(host, 'gone')).toContain('EV_2 pending');
      await host.app.get(HandlerKeeper).keep();
      expect(await states(host, 'gone')).toEqual(['EV_1 done', 'EV_2 retired', 'EV_3 retired']);
    });

    test('goes on from there when it is back later, and can be given what waited and what it never was', async () => {
      clock.advance(8 * DAY);
      await keepHouse(host, 'kept');
      await host.receive(['EV_4', 'room_started']);
      await host.deliveries.drain();
      await hosts.stop(host);
      host = await deploy('gone', 'kept');
      await host.receive(['EV_5', 'room_started']);
      await host.deliveries.drain();
      const ofGone = () => given.filter((one) => one.startsWith('gone')).sort();
      expect(ofGone()).toEqual(['gone EV_5']);
      expect(await host.deliveries.replayAll({ handler: 'gone', state: 'retired' })).toBe(2);
      await host.deliveries.drain();
      expect(ofGone()).toEqual(['gone EV_2', 'gone EV_3', 'gone EV_5']);
      await host.deliveries.backfill('gone');
      await host.deliveries.drain();
      expect(ofGone()).toEqual(['gone EV_2', 'gone EV_3', 'gone EV_4', 'gone EV_5']);
    });

    test('is not retired while any process has it', async () => {
      clock.advance(8 * DAY);
      expect(await keepHouse(host, 'kept', 'gone')).toEqual([]);
      clock.advance(6 * DAY);
      expect(await keepHouse(host, 'kept')).toEqual([]);
    });
  });

  describe('a handler that blocks rooms no more', () => {
    const STEP = 1_000;
    const inRoom = (name: string, onDeadLetter: 'block' | 'continue') =>
      recorder(name, { ordering: 'room', onDeadLetter });

    test('is given all that was blocked, however much that is', async () => {
      await hosts.stop(await hosts.boot([inRoom('mild', 'block')], { clock }));
      await letWait(hosts.url, 'mild', 2_500, "'default/RM_' || (n % 100)", BLOCKED);
      await allowAtOnce(hosts.url, STEP);
      const host = await hosts.boot([inRoom('mild', 'continue')], { clock });
      await host.deliveries.drain();
      expect(await backlog(hosts.url)).toBe(0);
    });

    test('has its rooms let go in steps, between which each keeps its order', async () => {
      const host = await hosts.boot([inRoom('mild', 'continue'), inRoom('strict', 'block')], { clock });
      await host.receive(['EV_1', 'room_started', 'RM_1']);
      await host.deliveries.drain();
      await host.deliveries.pause('mild');
      for (const name of ['mild', 'strict'])
        await letWait(hosts.url, name, 1.5 * STEP, "'default/RM_1'", BLOCKED);
      const step = () =>
        host.app.get(EventStore).write((manager) => host.app.get(HandlerTable).unblock(manager));

      expect(await step()).toBe(STEP);
      // Another process runs some meanwhile, of which one fails; an event comes, and one is replayed.
      await sqlQuery(hosts.url, 'UPDATE livekit_deliveries SET due_at = ? WHERE due_at < ?', [
        clock.now() + 60_000,
        BLOCKED,
      ]);
      const [done] = (await host.deliveries.list({ handler: 'mild', state: 'done' })).deliveries;
      await host.deliveries.replay(done?.id ?? 0);
      await host.receive(['EV_2', 'room_started', 'RM_1']);
      await host.deliveries.drain();
      for (const some of [STEP / 2 + 1, 1, 0]) expect(await step()).toBe(some);

      const waiting = await sqlQuery<{ seq: number | string }>(
        hosts.url,
        "SELECT event_seq AS seq FROM livekit_deliveries WHERE handler = 'mild' AND state = 'pending' ORDER BY due_at, event_seq",
      );
      const before = Array.from({ length: 1.5 * STEP }, (_, n) => n + 1 - 1.5 * STEP);
      expect(waiting.map(({ seq }) => Number(seq))).toEqual([...before, 2, 1]);
      expect(
        await countOf(hosts.url, 'livekit_deliveries', `handler = 'strict' AND due_at = ${BLOCKED}`),
      ).toBeGreaterThanOrEqual(1.5 * STEP);
    });
  });

  test('a handler that is renamed leaves what waits behind, and begins anew', async () => {
    const before = await deploy('old-name');
    await before.deliveries.pause('old-name');
    await before.receive(['EV_1', 'room_started']);
    await before.deliveries.drain();
    await hosts.stop(before);
    const host = await deploy('new-name');
    await host.receive(['EV_2', 'room_started']);
    await host.deliveries.drain();
    expect(given).toEqual(['new-name EV_2']);
    expect(await states(host, 'old-name')).toEqual(['EV_1 pending', 'EV_2 pending']);
  });

  test('a handler that names other events is given those from then on', async () => {
    const boot = (...names: string[]) => hosts.boot([recorder('changed', { names })], { clock });
    const before = await boot('room_started');
    await before.receive(['EV_1', 'room_started'], ['EV_2', 'room_finished']);
    await before.deliveries.drain();
    await hosts.stop(before);
    const host = await boot('room_finished');
    await host.receive(['EV_3', 'room_started'], ['EV_4', 'room_finished']);
    await host.deliveries.drain();
    expect(given).toEqual(['changed EV_1', 'changed EV_4']);
    await host.deliveries.backfill('changed');
    await host.deliveries.drain();
    expect(given).toEqual(['changed EV_1', 'changed EV_4', 'changed EV_2']);
  });

  describeOnPostgres('of several replicas, an old release and a new one side by side', () => {
    let old: HandlerHost;
    let fresh: HandlerHost;

    const settle = async () => {
      await until('everything to be routed', async () =>
        (await fresh.deliveries.list({ handler: 'c' })).deliveries.every(({ state }) => state === 'done'),
      );
      await Promise.all([old.deliveries.drain(), fresh.deliveries.drain()]);
    };

    beforeEach(async () => {
      old = await deploy('a', 'b');
      fresh = await deploy('b', 'c');
    });

    test('a new handler misses nothing appended after its first start, whoever receives it', async () => {
      const ids = Array.from({ length: 60 }, (_, n) => `EV_${n}`);
      await Promise.all(ids.map((id, n) => (n % 2 === 0 ? old : fresh).receive([id, 'room_started'])));
      await until('all to be given', () => given.length === 3 * ids.length);
      await settle();
      for (const name of ['a', 'b', 'c']) {
        expect(given.filter((one) => one.startsWith(name)).sort()).toEqual(
          ids.map((id) => `${name} ${id}`).sort(),
        );
      }
    });

    test('what only the old release has waits for it when it is gone, and is retired in the end', async () => {
      await hosts.stop(old);
      await fresh.receive(['EV_1', 'room_started']);
      await fresh.deliveries.drain();
      expect(given.sort()).toEqual(['b EV_1', 'c EV_1']);
      expect(await states(fresh, 'a')).toEqual(['EV_1 pending']);
      clock.advance(7 * DAY + 1);
      expect(await keepHouse(fresh, 'b', 'c')).toEqual(['a']);
      expect(await states(fresh, 'a')).toEqual(['EV_1 retired']);
      old = await deploy('a', 'b');
      expect(await fresh.deliveries.replayAll({ handler: 'a', state: 'retired' })).toBe(1);
      await until('it to be run by who has it', () => given.includes('a EV_1'));
    });

    test('the events of a handler are those of the release that started last', async () => {
      const boot = (...names: string[]) => hosts.boot([recorder('d', { names })], { clock });
      const first = await boot('room_started');
      await boot('room_finished');
      await first.receive(['EV_1', 'room_started'], ['EV_2', 'room_finished']);
      await until('one to be given', () => given.some((one) => one.startsWith('d')));
      await settle();
      expect(given.filter((one) => one.startsWith('d'))).toEqual(['d EV_2']);
    });

    test('whether a room waits behind a dead letter is decided by the release that started last', async () => {
      const dying = gate();
      const boot = (onDeadLetter: 'block' | 'continue') => {
        const take = async ({ eventId }: LoggedEvent) => {
          given.push(`e ${eventId}`);
          if (eventId !== 'EV_1') return;
          await dying.opened;
          throw new FailDelivery('poison');
        };
        return hosts.boot([handlerOf('e', take, { ordering: 'room', onDeadLetter })], { clock });
      };
      await boot('block');
      await fresh.receive(['EV_1', 'room_started', 'RM_1']);
      await until('the first release to be at it', () => given.includes('e EV_1'));
      await boot('continue');
      await fresh.receive(['EV_2', 'room_started', 'RM_1']);
      await settle();
      dying.open();
      await until('the room to go on', () => given.includes('e EV_2'));
    });

    test('releases that start at once, with their handlers in any order, do not get into each other’s way', async () => {
      const names = Array.from({ length: 100 }, (_, n) => `handler-${n}`);
      const enter = ({ app }: HandlerHost) =>
        app
          .get(EventStore)
          .write((manager) =>
            app.get(HandlerTable).enter(manager, app.get(HandlerRegistry).handlers.values()),
          );
      const starting = [await deploy(...names), await deploy(...names.toReversed())];
      await Promise.all(starting.map(enter));
      expect(await fresh.deliveries.lag()).toHaveLength(103);
    });
  });
});

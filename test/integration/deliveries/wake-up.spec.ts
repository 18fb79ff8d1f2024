import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { EventStore } from '../../../src/database/event-store.js';
import { Claims } from '../../../src/event-log/claim/claims.js';
import { systemClock } from '../../../src/event-log/clock.js';
import { sqlQuery } from '../../support/database.js';
import {
  handlerHosts,
  handlerOf,
  type HandlerHost,
  type HandlerHostShape,
  type TestHandlerOptions,
} from '../../support/handlers.js';
import { describeOnPostgres } from '../../support/only-on.js';
import { countClaims, countQueries } from '../../support/queries.js';
import { until as patientUntil } from '../../support/until.js';

/** An idle runner looks by itself every 30 s: what comes before was woken. */
const until: typeof patientUntil = (what, condition) => patientUntil(what, condition, 20_000);

describe('the runner, by the real clock,', () => {
  const hosts = handlerHosts();
  let given: string[];

  const boot = (...providers: HandlerHostShape['providers']) => hosts.boot(providers, { clock: systemClock });
  const recorder = (options?: TestHandlerOptions) =>
    handlerOf('recorder', ({ eventId }) => given.push(eventId), options);
  /** Nothing is left to do, and so it sleeps. */
  const asleep = (host: HandlerHost) => host.deliveries.drain();

  beforeEach(() => {
    given = [];
  });

  test('runs what is appended while it sleeps', async () => {
    const host = await boot(recorder());
    for (const id of ['EV_1', 'EV_2']) {
      await asleep(host);
      await host.receive([id, 'room_started']);
      await until('it to be given', () => given.includes(id));
    }
  });

  test("runs what is appended in the store's transaction while it sleeps", async () => {
    const host = await boot(recorder({ kind: 'app' }));
    await asleep(host);
    await host.app.get(EventStore).transaction(async (manager) => {
      await host.log.appendIn(manager, 'order.created', {}, { id: 'order-1' });
    });
    await until('it to be given', () => given.includes('app:order-1'));
  });

  test('tries again when it is time, though nobody wakes it', async () => {
    const attempts: number[] = [];
    const host = await boot(
      handlerOf(
        'flaky',
        (_, { attempt }) => {
          attempts.push(attempt);
          if (attempt < 4) throw new Error('not yet');
        },
        { backoff: () => 20 },
      ),
    );
    await host.receive(['EV_1', 'room_started']);
    await until('the attempts', () => attempts.length === 4);
    expect(attempts).toEqual([1, 2, 3, 4]);
  });

  test('runs what is replayed or resumed while it sleeps', async () => {
    const host = await boot(recorder());
    await host.receive(['EV_1', 'room_started']);
    await asleep(host);
    const [delivery] = (await host.deliveries.list()).deliveries;
    await host.deliveries.replay(delivery?.id ?? 0);
    await until('the replay', () => given.length === 2);
    await host.deliveries.pause('recorder');
    await host.receive(['EV_2', 'room_started']);
    await asleep(host);
    await host.deliveries.resume('recorder');
    await until('it to go on', () => given.length === 3);
  });

  // Absence has no condition to wait for: these look for a while. What they tell apart is a few from hundreds.
  const WHILE = 1_000;

  test('asks next to nothing when there is nothing to do', async () => {
    const host = await boot(recorder(), handlerOf('ordered', undefined, { ordering: 'room' }));
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await asleep(host);
    const queries = countQueries(host.app.get(EventStore));
    await until('what has just ended to be looked after, and then next to nothing', async () => {
      const before = queries();
      await delay(WHILE);
      return queries() - before <= 2;
    });
  });

  test('knows when to wake, however many handlers it has', async () => {
    const names = Array.from({ length: 300 }, (_, n) => `handler-${n}`);
    const host = await boot(...names.map((name) => handlerOf(name)));
    await asleep(host);
    expect(host.logger.of('DeliveryRunner')).toEqual([]);
  });

  test.each<[string, TestHandlerOptions]>([
    ['of a handler that is as busy as it may be', { concurrency: 1 }],
    ['of a room that is busy', { ordering: 'room' }],
  ])('asks little while deliveries wait for one %s', async (_, options) => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const host = await boot(
      handlerOf(
        'busy',
        ({ eventId }) => {
          given.push(eventId);
          return held;
        },
        options,
      ),
    );
    await host.receive(['EV_0', 'room_started', 'RM_1']);
    await until('it to run', () => given.length === 1);
    for (const n of [1, 2, 3, 4]) await host.receive([`EV_${n}`, 'room_started', 'RM_1']);
    await delay(100);
    const queries = countQueries(host.app.get(EventStore));
    await delay(WHILE);
    const asked = queries();
    release();
    await host.deliveries.drain();
    expect(given).toHaveLength(5);
    expect(asked).toBeLessThanOrEqual(60);
  });

  test('does not look for others after each run of a room that has a great deal to do', async () => {
    const host = await boot(
      handlerOf('busy', ({ eventId }) => delay(2).then(() => given.push(eventId)), { ordering: 'room' }),
    );
    await host.deliveries.pause('busy');
    for (let n = 0; n < 200; n++) await host.receive([`EV_${n}`, 'room_started', 'RM_1']);
    await asleep(host);
    const claims = countClaims(host.app.get(Claims));
    await host.deliveries.resume('busy');
    await until('them to be given', () => given.length === 200);
    expect(claims()).toBeLessThanOrEqual(50);
    expect(given).toEqual(Array.from({ length: 200 }, (_, n) => `EV_${n}`));
  });

  describeOnPostgres('of several replicas', () => {
    const terminate = (what: string) =>
      sqlQuery<{ pid: number }>(
        hosts.url,
        'SELECT pg_terminate_backend(pid) AS done, pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?',
        [what],
      );
    const listeners = async () =>
      (
        await sqlQuery<{ pid: number }>(
          hosts.url,
          `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
             AND application_name = 'nestjs-livekit-webhooks (listening)'`,
        )
      ).map(({ pid }) => pid);
    /** One receives, another has the handler. */
    const twoRoles = async () => {
      const worker = await boot(recorder());
      const edge = await boot();
      await asleep(worker);
      await asleep(edge);
      return { worker, edge };
    };

    test('runs what another one received', async () => {
      const { edge } = await twoRoles();
      for (const id of ['EV_1', 'EV_2', 'EV_3']) {
        await edge.receive([id, 'room_started']);
        await until('it to be given', () => given.includes(id));
      }
    });

    test('hears again after its listening connection was cut', async () => {
      const { edge } = await twoRoles();
      const cut = await terminate('nestjs-livekit-webhooks (listening)');
      expect(cut).toHaveLength(2);
      const pids = new Set(cut.map(({ pid }) => pid));
      await until('both to listen again', async () => {
        const now = await listeners();
        return now.length === 2 && now.every((pid) => !pids.has(pid));
      });
      await edge.receive(['EV_1', 'room_started']);
      await until('it to be given', () => given.includes('EV_1'));
    });

    test('runs what was received while it could not hear, as soon as it hears again', async () => {
      const { edge } = await twoRoles();
      await terminate('nestjs-livekit-webhooks (listening)');
      await edge.receive(['EV_1', 'room_started']);
      await until('it to be given', () => given.includes('EV_1'));
    });

    test('goes on after every connection of its pool was cut', async () => {
      const { worker, edge } = await twoRoles();
      await terminate('nestjs-livekit-webhooks');
      await until('the store to take it', () =>
        edge.receive(['EV_1', 'room_started']).then(
          () => true,
          () => false,
        ),
      );
      await until('it to be given', () => given.includes('EV_1'));
      await asleep(worker);
      expect(given).toEqual(['EV_1']);
    });

    test("runs what is appended in a transaction of the host's own", async () => {
      const worker = await boot(recorder({ kind: 'app' }));
      const edge = await boot();
      await asleep(worker);
      const dataSource = await new DataSource({
        type: 'postgres',
        url: hosts.url,
        installExtensions: false,
      }).initialize();
      await dataSource.transaction((manager) =>
        edge.log.appendIn(manager, 'order.created', {}, { id: 'order-1' }),
      );
      await dataSource.destroy();
      await until('it to be given', () => given.includes('app:order-1'));
    });

    test('runs what was replayed by another one', async () => {
      const { worker, edge } = await twoRoles();
      await worker.receive(['EV_1', 'room_started']);
      await until('it to be given', () => given.length === 1);
      await asleep(worker);
      const [delivery] = (await edge.deliveries.list()).deliveries;
      await edge.deliveries.replay(delivery?.id ?? 0);
      await until('the replay', () => given.length === 2);
    });

    describe('one of which stops and has a run to wait for', () => {
      let stopping: HandlerHost;
      let stopped: Promise<void> | undefined;
      let release: () => void;

      beforeEach(async () => {
        stopped = undefined;
        const held = new Promise<void>((resolve) => (release = resolve));
        stopping = await boot(handlerOf('recorder', () => held, { concurrency: 1 }));
        await stopping.receive(
          ...Array.from({ length: 3 }, (_, n): [string, string] => [`EV_${n}`, 'room_started']),
        );
        await until('one to run, and another to be claimed', async () =>
          (await stopping.deliveries.lag()).every(({ running }) => running === 2),
        );
        const worker = await boot(recorder());
        await until('the other one to take the rest', () => given.length === 1);
        await asleep(worker);
        stopped = hosts.stop(stopping);
      });

      afterEach(async () => {
        release();
        await stopped;
      });

      test('takes over what that had claimed, and not begun', async () => {
        await until('it to be given', () => given.length === 2);
      });

      test('runs what that still receives', async () => {
        await until('the first to be given', () => given.length === 2);
        await stopping.receive(['EV_late', 'room_started']);
        await until('it to be given', () => given.includes('EV_late'));
      });
    });
  });
});

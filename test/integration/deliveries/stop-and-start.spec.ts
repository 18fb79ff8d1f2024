import { setTimeout as delay } from 'node:timers/promises';
import type { DeliveryContext } from '../../../src/event-log/handlers/context.js';
import { onPostgres, sqlQuery } from '../../support/database.js';
import {
  handlerHosts,
  handlerOf,
  type HandlerHost,
  type TestHandlerOptions,
} from '../../support/handlers.js';
import { holdWrites } from '../../support/hold-writes.js';
import { until } from '../../support/until.js';

/** A process that was killed leaves its deliveries as they were. */
const leaveRunning = (url: string, leaseUntil: number) =>
  sqlQuery(
    url,
    `UPDATE livekit_deliveries SET state = 'running', attempt = 1, lease_token = 'of the dead', lease_until = ?`,
    [leaseUntil],
  );

const states = (url: string) =>
  sqlQuery(url, 'SELECT state, attempt, lease_token FROM livekit_deliveries ORDER BY id');

describe('an application that stops', () => {
  const hosts = handlerHosts();
  let begun: DeliveryContext[];

  const boot = async (
    take: (context: DeliveryContext) => unknown,
    drainTimeout: number,
    options: TestHandlerOptions = {},
  ): Promise<HandlerHost> => {
    begun = [];
    const handler = handlerOf(
      'slow',
      (_, context) => {
        begun.push(context);
        return take(context);
      },
      options,
    );
    return hosts.boot([handler], { options: { deliveries: { drainTimeout } } });
  };

  test('lets what runs end, in its time', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const host = await boot(() => held, 10_000);
    await host.receive(['EV_1', 'room_started']);
    await until('it to run', () => begun.length === 1);
    const stopped = hosts.stop(host);
    release();
    await stopped;
    expect(begun[0]?.signal.aborted).toBe(false);
    expect(await states(hosts.url)).toEqual([{ state: 'done', attempt: 1, lease_token: null }]);
  });

  test('writes down a failure that happens in its last moments', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const host = await boot(() => held.then(() => Promise.reject(new Error('late'))), 10_000);
    await host.receive(['EV_1', 'room_started']);
    await until('it to run', () => begun.length === 1);
    const stopped = hosts.stop(host);
    release();
    await stopped;
    expect(await states(hosts.url)).toEqual([{ state: 'pending', attempt: 1, lease_token: null }]);
    expect(await sqlQuery(hosts.url, 'SELECT attempt FROM livekit_attempts')).toHaveLength(1);
  });

  test('tells what takes too long, and counts no attempt of it', async () => {
    const reasons: unknown[] = [];
    const waits = ({ signal }: DeliveryContext) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push((signal.reason as Error).name);
          reject(signal.reason as Error);
        });
      });
    const host = await boot(waits, 20);
    await host.receive(['EV_1', 'room_started']);
    await until('it to run', () => begun.length === 1);
    await hosts.stop(host);
    expect(reasons).toEqual(['ApplicationStoppingError']);
    expect(await states(hosts.url)).toEqual([{ state: 'pending', attempt: 0, lease_token: null }]);
    expect(await sqlQuery(hosts.url, 'SELECT attempt FROM livekit_attempts')).toEqual([]);
    const again = await boot(() => undefined, 20);
    await again.deliveries.drain();
    expect(begun.map(({ attempt }) => attempt)).toEqual([1]);
  });

  test.each<[string, TestHandlerOptions]>([
    ['a handler', {}],
    ['a batch', { batch: 10 }],
    ['an ordered handler', { ordering: 'room' }],
  ])('is not kept by %s that heeds no signal', async (_, options) => {
    const host = await boot(() => new Promise(() => undefined), 20, options);
    await host.receive(['EV_1', 'room_started', 'RM_1'], ['EV_2', 'room_started', 'RM_1']);
    await until('it to run', () => begun.length > 0);
    await hosts.stop(host);
    expect(await states(hosts.url)).toEqual(
      [1, 2].map(() => ({ state: 'pending', attempt: 0, lease_token: null })),
    );
  });

  test('frees what it gives up, though the store failed it in its last second', async () => {
    const host = await boot(() => new Promise(() => undefined), 20);
    await host.receive(['EV_1', 'room_started']);
    await until('it to run', () => begun.length === 1);
    const held = await holdWrites(hosts.url);
    const stopped = hosts.stop(host);
    await until('the store to fail', () => host.logger.text().includes('the store failed a turn'));
    await held.release();
    await stopped;
    expect(await states(hosts.url)).toEqual([{ state: 'pending', attempt: 0, lease_token: null }]);
  });

  test('begins nothing any more, and what it had claimed is free again', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const host = await boot(() => held, 10_000, { concurrency: 1 });
    await host.receive(...Array.from({ length: 5 }, (_, n): [string, string] => [`EV_${n}`, 'room_started']));
    await until('it to run', () => begun.length === 1);
    await until('more to be claimed', async () =>
      (await host.deliveries.lag()).every(({ running }) => running > 1),
    );
    const stopped = hosts.stop(host);
    await until('what has not begun to be free', async () =>
      (await host.deliveries.lag()).every(({ running }) => running === 1),
    );
    release();
    await stopped;
    expect(begun).toHaveLength(1);
    expect(await states(hosts.url)).toEqual(
      [0, 1, 2, 3, 4].map((n) => ({
        state: n === 0 ? 'done' : 'pending',
        attempt: n === 0 ? 1 : 0,
        lease_token: null,
      })),
    );
  });

  test('still takes appends until it has stopped, and runs them after the next start', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const host = await boot(() => held, 10_000);
    await host.receive(['EV_1', 'room_started']);
    await until('it to run', () => begun.length === 1);
    const stopped = hosts.stop(host);
    await host.receive(['EV_2', 'room_started']);
    release();
    await stopped;
    expect(begun).toHaveLength(1);
    const again = await boot(() => undefined, 20);
    await again.deliveries.drain();
    expect(begun).toHaveLength(1);
  });

  test('ends, though a host drains it when it has stopped', async () => {
    let host: HandlerHost | undefined = undefined;
    class Late {
      onApplicationShutdown() {
        return host?.deliveries.drain();
      }
    }
    host = await hosts.boot([handlerOf('mine'), Late]);
    await hosts.stop(host);
  });

  test('before it has begun anything stops at once', async () => {
    const host = await boot(() => undefined, 60_000);
    await hosts.stop(host);
    expect(await states(hosts.url)).toEqual([]);
  });
});

describe('an application that starts', () => {
  const hosts = handlerHosts();

  /** Leaves a database behind in which a process died while it ran EV_1. */
  const die = async (lease: number): Promise<HandlerHost['clock']> => {
    const host = await hosts.boot([handlerOf('mine')]);
    await host.deliveries.pause('mine');
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    await host.deliveries.resume('mine');
    await hosts.stop(host);
    await leaveRunning(hosts.url, host.clock.now() + lease);
    return host.clock;
  };

  test('runs what a dead process left: on SQLite at once, on PostgreSQL when its lease is over', async () => {
    const clock = await die(60_000);
    const given: number[] = [];
    const host = await hosts.boot([handlerOf('mine', (_, { attempt }) => given.push(attempt))], { clock });
    await host.deliveries.drain();
    if (onPostgres) {
      expect(given).toEqual([]);
      await host.pass(59_000);
      expect(given).toEqual([]);
      await host.pass(1_001);
    }
    expect(given).toEqual([2]);
    expect(host.logger.of('DeliveryRunner')).toContainEqual({
      message: 'deliveries were left running by a process that is gone: they are run again',
      count: 1,
    });
  });

  test('gives back what a dead process left of a handler that it has not', async () => {
    const clock = await die(0);
    clock.advance(1);
    const other = await hosts.boot([], { clock });
    await other.deliveries.drain();
    expect(await states(hosts.url)).toMatchObject([{ state: 'pending', lease_token: null }]);
  });

  test('keeps the order of a room over what a dead process left', async () => {
    const clock = await die(0);
    clock.advance(1);
    const given: string[] = [];
    const host = await hosts.boot(
      [
        handlerOf(
          'mine',
          async ({ eventId }) => {
            await delay(1);
            given.push(eventId);
          },
          { ordering: 'room' },
        ),
      ],
      { clock },
    );
    await host.receive(['EV_2', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    expect(given).toEqual(['EV_1', 'EV_2']);
  });
});

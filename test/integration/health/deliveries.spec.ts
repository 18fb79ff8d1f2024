import type { Type } from '@nestjs/common';
import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { HealthModule } from '../../../src/health/health.module.js';
import type { LivekitHealthModuleOptions } from '../../../src/health/health.options.js';
import { TestClock } from '../../../src/testing/test-clock.js';
import { sqlQuery } from '../../support/database.js';
import { gate } from '../../support/gate.js';
import { handlerOf } from '../../support/handlers.js';
import { downWhileReady, healthOf } from '../../support/health.js';
import { holdWrites } from '../../support/hold-writes.js';
import { testOnPostgres } from '../../support/only-on.js';
import { type SessionHost, sessionHosts } from '../../support/session-host.js';
import { until } from '../../support/until.js';

const EVENTS = 100;
const SECRET = 'a-secret-in-an-error';

describe('the health of deliveries', () => {
  const hosts = sessionHosts();
  let clock: TestClock;

  beforeEach(() => {
    clock = new TestClock();
  });

  const boot = (providers: Type[] = [], options: LivekitHealthModuleOptions = {}, role?: 'edge' | 'worker') =>
    hosts.boot({
      clock,
      providers,
      imports: [HealthModule.forRoot(options)],
      webhook: { ...(role && { role }) },
    });

  const deliveriesIn = async ({ app }: SessionHost) => (await healthOf(app)).details['deliveries'];

  test('is down while a handler is slow, and up when it has caught up', async () => {
    const held = gate();
    const host = await boot([handlerOf('billing', () => held.opened, { kind: 'app', concurrency: 1 })]);
    // More than are claimed at once.
    await Promise.all(Array.from({ length: EVENTS }, (_, n) => host.log.append('tick', n)));
    const states = async () =>
      (await host.app.get(Deliveries).list({ handler: 'billing', limit: EVENTS })).deliveries.map(
        ({ state }) => state,
      );
    await until('the first to run', async () => {
      const all = await states();
      return all.length === EVENTS && all.includes('running');
    });
    expect(await downWhileReady(host.app)).toEqual([]);
    clock.advance(301_000);
    expect(await downWhileReady(host.app)).toEqual(['deliveries']);
    expect(await deliveriesIn(host)).toEqual({
      status: 'down',
      lagSeconds: 301,
      slowest: 'billing',
      routingLagSeconds: 0,
      deadLetters: 0,
      message: expect.stringMatching(/to `billing` have been due for up to 301 s \(300 s are allowed\)/),
    });
    held.open();
    await until('it to catch up', async () => {
      await host.pass(60_000); // a lease that ran out meanwhile, and the retry after it
      return (await states()).every((state) => state === 'done');
    });
    expect(await downWhileReady(host.app)).toEqual([]);
    expect(await deliveriesIn(host)).toMatchObject({ status: 'up', lagSeconds: 0, slowest: null });
  });

  test('does not mind a handler that somebody has paused, nor one that waits for its next attempt', async () => {
    const host = await boot([
      handlerOf('paused', undefined, { kind: 'app' }),
      handlerOf(
        'failing',
        () => {
          throw new Error('not yet');
        },
        { kind: 'app', backoff: () => 3_600_000 },
      ),
    ]);
    const deliveries = host.app.get(Deliveries);
    await deliveries.pause('paused');
    await host.log.append('tick', null);
    await host.tester.drain();
    clock.advance(3_000_000);
    expect(await downWhileReady(host.app)).toEqual([]);
    await deliveries.resume('paused');
    await host.tester.drain();
    expect(await deliveriesIn(host)).toMatchObject({ status: 'up', lagSeconds: 0 });
  });

  test('is down while there are dead letters, and tells nothing of what their attempts threw', async () => {
    let isBroken = true;
    const host = await boot([
      handlerOf(
        'billing',
        () => {
          if (isBroken) throw new Error(SECRET);
        },
        { kind: 'app', maxAttempts: 1 },
      ),
    ]);
    for (const n of [1, 2]) await host.log.append('tick', n);
    await host.tester.drain();
    expect(await downWhileReady(host.app)).toEqual(['deliveries']);
    expect(await deliveriesIn(host)).toMatchObject({
      deadLetters: 2,
      message: expect.stringMatching(/2 dead letters of `billing` \(0 are allowed\): .*replay or dismiss/),
    });
    expect((await healthOf(host.app)).text).not.toContain(SECRET);
    isBroken = false;
    const deliveries = host.app.get(Deliveries);
    const [newest] = (await deliveries.list({ state: 'dead' })).deliveries;
    await deliveries.dismiss(newest?.id ?? 0);
    expect(await downWhileReady(host.app)).toEqual(['deliveries']);
    await deliveries.replayAll();
    await host.tester.drain();
    expect(await downWhileReady(host.app)).toEqual([]);
    // Once, however often it was asked; and Terminus writes no line of its own for each time.
    expect(host.logger.of('Health')).toEqual([
      {
        message: 'a health indicator is down',
        indicator: 'deliveries',
        detail: expect.stringContaining('2 dead letters of `billing`'),
      },
      { message: 'a health indicator is up again', indicator: 'deliveries' },
    ]);
    expect(host.logger.text()).not.toContain('Health Check has failed');
  });

  test('is down beyond what the host allows', async () => {
    const failing = handlerOf(
      'billing',
      () => {
        throw new Error('bad');
      },
      { kind: 'app', maxAttempts: 1 },
    );
    const host = await boot([failing], { deadLetters: 1 });
    await host.log.append('tick', 1);
    await host.tester.drain();
    expect(await downWhileReady(host.app)).toEqual([]);
    await host.log.append('tick', 2);
    await host.tester.drain();
    expect(await downWhileReady(host.app)).toEqual(['deliveries']);
  });

  test('is down when the store fails, in its words', async () => {
    const host = await boot();
    await sqlQuery(hosts.url, 'ALTER TABLE livekit_handlers RENAME TO elsewhere');
    const { code, details } = await healthOf(host.app);
    expect(code).toBe(503);
    expect(details['deliveries']).toEqual({
      status: 'down',
      message: expect.stringMatching(/livekit_handlers/),
    });
    await sqlQuery(hosts.url, 'ALTER TABLE elsewhere RENAME TO livekit_handlers');
    await until('it to be well again', async () => (await healthOf(host.app)).code === 200);
  });

  testOnPostgres('is down when the store is slow, and answers none the less', async () => {
    const host = await boot();
    const held = await holdWrites(hosts.url);
    const { code, details } = await healthOf(host.app);
    await held.release();
    expect(code).toBe(503);
    for (const key of ['deliveries', 'webhooks']) {
      expect(details[key]).toEqual({
        status: 'down',
        message: 'the store has not answered within 2 s',
      });
    }
    await until('it to be well again', async () => (await healthOf(host.app)).code === 200);
  });

  testOnPostgres('is down at an edge whose workers are gone, and up in either when one is back', async () => {
    const edge = await boot([], {}, 'edge');
    await edge.tester.deliver({ event: 'room_started', room: { sid: 'RM_1', name: 'call' } });
    clock.advance(61_000);
    expect(await downWhileReady(edge.app)).toEqual(['deliveries']);
    expect(await deliveriesIn(edge)).toMatchObject({
      lagSeconds: 0,
      routingLagSeconds: 61,
      message: expect.stringMatching(/handed to its handlers \(60 s are allowed\): .*`worker`/),
    });
    const worker = await boot([], {}, 'worker');
    await worker.app.get(Deliveries).drain();
    for (const { app } of [edge, worker]) expect(await downWhileReady(app)).toEqual([]);
  });
});

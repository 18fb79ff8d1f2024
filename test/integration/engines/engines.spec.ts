import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { Dispatcher } from '../../../src/event-log/engines/dispatcher.js';
import type { LoggedEvent } from '../../../src/event-log/events.js';
import { carriedDeliveries } from '../../support/carried-deliveries.js';
import { sqlQuery } from '../../support/database.js';
import { type HandlerHost, handlerOf } from '../../support/handlers.js';
import { describeOnPostgres } from '../../support/only-on.js';
import { ENGINES } from '../../support/private-server.js';
import { until } from '../../support/until.js';

describeOnPostgres.each(ENGINES)('deliveries that are carried by %s', (type) => {
  const carried = carriedDeliveries(type);
  const { hosts, given, figures, take, givenTo } = carried;

  const boot = (...providers: ReturnType<typeof handlerOf>[]): Promise<HandlerHost> =>
    hosts.boot(providers, { options: { deliveries: { engine: { type, url: carried.server.url } } } });

  const events = (count: number, from = 1): [string, string, string][] =>
    Array.from({ length: count }, (_, n) => [`EV_${from + n}`, 'room_started', `RM_${(from + n) % 3}`]);

  const ids = (count: number) => events(count).map(([id]) => id);

  const stored = () =>
    sqlQuery(hosts.url, "SELECT 1 FROM livekit_deliveries WHERE state <> 'done'").then(
      ({ length }) => length,
    );

  test('are run once each, of every kind of handler, and in the order of their rooms where it is asked for', async () => {
    const host = await boot(
      handlerOf('plain', take('plain')),
      handlerOf('ordered:one', take('ordered:one'), { ordering: 'room' }),
      handlerOf('batch', (some: LoggedEvent[]) => some.forEach(take('batch')), { batch: 7 }),
    );
    await host.receive(...events(40));
    await host.deliveries.drain();
    for (const name of ['plain', 'ordered:one', 'batch']) {
      expect([...givenTo(name)].sort()).toEqual([...ids(40)].sort());
    }
    const rooms = (list: (string | undefined)[]) =>
      [0, 1, 2].map((room) => list.map((id) => Number(id?.slice(3))).filter((n) => n % 3 === room));
    expect(rooms(givenTo('ordered:one'))).toEqual(rooms(await logged(hosts.url)));
    expect(figures(host)).toMatchObject({ type, isUp: true, failures: 0 });
  });

  test('are run of every room without a wait, though the first ones have more than is claimed at once', async () => {
    const host = await boot(handlerOf('ordered', take('ordered'), { ordering: 'room' }));
    await host.deliveries.pause('ordered');
    const rooms = Array.from({ length: 40 }, (_, n) => `RM_${n}`);
    const all = rooms.flatMap((room) =>
      Array.from({ length: 10 }, (_, n) => [room, `EV_${room}_${n}`] as const),
    );
    await host.receive(...all.map(([room, id]): [string, string, string] => [id, 'room_started', room]));
    await until('all to be routed', async () => (await stored()) === all.length);
    await host.deliveries.resume('ordered');
    await until('all to be run', () => given.length === all.length);
    const inOrder = await logged(hosts.url);
    for (const room of rooms) {
      const ofRoom = (id: string | undefined) => id?.startsWith(`EV_${room}_`);
      expect(givenTo('ordered').filter(ofRoom)).toEqual(inOrder.filter(ofRoom));
    }
  });

  test('are retried when the store says so', async () => {
    const host = await boot(
      handlerOf('fails', (event, { attempt }) => {
        take('fails')(event);
        if (attempt === 1) throw new Error('bad luck');
      }),
    );
    await host.receive(...events(1));
    await host.deliveries.drain();
    expect(given).toEqual(['fails EV_1']);
    await host.pass(2_000);
    expect(given).toEqual(['fails EV_1', 'fails EV_1']);
  });

  test('are shared by several processes', async () => {
    const first = await boot(handlerOf('shared', take('first')));
    const second = await boot(handlerOf('shared', take('second')));
    await first.receive(...events(20));
    await second.receive(...events(20, 21));
    await until('all to be done', async () => (await stored()) === 0 && given.length === 40);
    expect(new Set(given.map((line) => line.split(' ')[1])).size).toBe(40);
  });

  test('wait while the engine is down, and webhooks do not', async () => {
    await carried.server.kill();
    const host = await boot(handlerOf('waits', take('waits')));
    await host.receive(...events(10));
    await until('trouble', () => !figures(host).isUp);
    expect(given).toEqual([]);
    expect(host.logger.text()).toContain('takes no deliveries: they wait in the store');
    await expect(host.app.get(Dispatcher).check()).rejects.toThrow();
    await carried.server.start();
    await until('all to be run', () => given.length === 10);
    await carried.server.kill();
    await host.receive(...events(10, 11));
    await carried.server.start();
    await until('all to be run', () => given.length === 20);
    await until('its trouble to be over', () => figures(host).isUp);
    expect(new Set(given).size).toBe(20);
  });

  test('are given to it again when it has lost them all', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const host = await boot(
      handlerOf('slow', (event) => held.then(() => take('slow')(event)), { concurrency: 1 }),
    );
    await host.receive(...events(200));
    await until('all to be carried', () => figures(host).carried >= 199);
    await until('one to be handed out', async () => ((await host.deliveries.lag())[0]?.running ?? 0) > 0);
    await carried.server.empty();
    release();
    host.clock.advance(15_001); // it is trusted no longer
    await until('all to be run', () => given.length === 200);
    expect(new Set(given).size).toBe(200);
    await hosts.stop(host);
    expect(host.logger.text()).not.toContain('did not stop');
  });

  test('are left alone by a process that stops before it is connected', async () => {
    for (let milliseconds = 0; milliseconds <= 64; milliseconds = milliseconds * 2 || 1) {
      const host = await boot(handlerOf('never', take('never')));
      await delay(milliseconds);
      await hosts.stop(host);
      expect(host.logger.text()).not.toContain('did not stop');
    }
  });

  if (type === 'bullmq') {
    test('wait while Redis is out of memory', async () => {
      const host = await boot(handlerOf('waits', take('waits')));
      const redis = new Redis(carried.server.url);
      await redis.config('SET', 'maxmemory', '1');
      await host.receive(...events(5));
      await until('trouble', () => !figures(host).isUp);
      expect(host.logger.text()).toContain('OOM');
      await redis.config('SET', 'maxmemory', '0');
      redis.disconnect();
      await until('all to be run', () => given.length === 5);
    });
  }
});

async function logged(url: string): Promise<string[]> {
  const rows = await sqlQuery<{ event_id: string }>(url, 'SELECT event_id FROM livekit_events ORDER BY seq');
  return rows.map(({ event_id }) => event_id);
}

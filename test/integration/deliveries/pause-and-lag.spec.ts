import type { Registry } from 'prom-client';
import { MOST_COUNTED } from '../../../src/event-log/deliveries/backlog.js';
import { DeliveryNotFoundError } from '../../../src/event-log/deliveries/errors.js';
import { MetricsModule } from '../../../src/metrics/metrics.module.js';
import { METRICS_REGISTRY } from '../../../src/metrics/metrics.registry.js';
import { onPostgres, sqlQuery } from '../../support/database.js';
import { type HandlerHost, handlerHosts, handlerOf } from '../../support/handlers.js';
import { testOnPostgres } from '../../support/only-on.js';
import { until } from '../../support/until.js';

const AT_REST = {
  pending: 0,
  running: 0,
  dead: 0,
  lag: 0,
  paused: false,
  retired: false,
  backfilling: 0,
};

describe('the lag of handlers', () => {
  const hosts = handlerHosts();

  test('is nothing when nothing is to be done', async () => {
    const host = await hosts.boot([handlerOf('b'), handlerOf('a')]);
    expect(await host.deliveries.lag()).toEqual([
      { handler: 'a', ...AT_REST },
      { handler: 'b', ...AT_REST },
    ]);
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    expect(await host.deliveries.lag()).toMatchObject([AT_REST, AT_REST]);
  });

  test('tells what waits, runs and is dead, and for how long the oldest that is due has been stored', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const host = await hosts.boot([
      handlerOf('busy', () => held, { kind: 'app' }),
      handlerOf(
        'failing',
        () => {
          throw new Error('bad');
        },
        { kind: 'app', maxAttempts: 1 },
      ),
      handlerOf(
        'trying',
        () => {
          throw new Error('bad');
        },
        { kind: 'app', backoff: () => 60_000 },
      ),
    ]);
    await host.deliveries.pause('busy');
    for (let n = 0; n < 3; n++) {
      await host.log.append('tick', n);
      host.clock.advance(1_000);
    }
    await host.deliveries.drain();
    const [busy, failing, trying] = await host.deliveries.lag();
    expect(busy).toEqual({ handler: 'busy', ...AT_REST, pending: 3, lag: 3_000, paused: true });
    expect(failing).toEqual({ handler: 'failing', ...AT_REST, dead: 3 });
    expect(trying).toEqual({ handler: 'trying', ...AT_REST, pending: 3 }); // not due: no lag
    await host.deliveries.resume('busy');
    await until('it to run', async () => (await host.deliveries.lag())[0]?.running === 3);
    release();
    await host.deliveries.drain();
    expect((await host.deliveries.lag())[0]).toEqual({ handler: 'busy', ...AT_REST });
  });

  test('counts only so far', async () => {
    const host = await hosts.boot([handlerOf('late'), handlerOf('bad')]);
    for (const handler of ['late', 'bad']) await host.deliveries.pause(handler);
    for (const [handler, state] of [
      ['late', 'pending'],
      ['bad', 'dead'],
    ])
      await sqlQuery(
        hosts.url,
        `WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ${MOST_COUNTED + 10})
         INSERT INTO livekit_deliveries (event_seq, handler, due_at, state) SELECT seq, '${handler}', 0, '${state}' FROM n`,
      );
    expect(await host.deliveries.lag()).toMatchObject([
      { handler: 'bad', pending: 0, dead: MOST_COUNTED },
      { handler: 'late', pending: MOST_COUNTED, dead: 0 },
    ]);
  });

  test('tells how far a backfill has yet to go', async () => {
    const first = await hosts.boot([]);
    for (let n = 0; n < 4; n++) await first.log.append('tick', n);
    await first.deliveries.drain();
    await hosts.stop(first);
    const seen: number[] = [];
    const host = await hosts.boot([
      handlerOf(
        'late',
        async () => {
          seen.push((await host.deliveries.lag())[0]?.backfilling ?? -1);
        },
        { kind: 'app' },
      ),
    ]);
    await host.deliveries.pause('late');
    await host.deliveries.backfill('late', { fromSeq: 2 });
    await host.deliveries.drain();
    expect(await host.deliveries.lag()).toMatchObject([{ pending: 3, backfilling: 0 }]);
    await host.deliveries.resume('late');
    await host.deliveries.drain();
    expect(seen).toEqual([0, 0, 0]);
  });

  test('tells of a backfill from beyond the end of the log that nothing is to be given', async () => {
    const host = await hosts.boot([handlerOf('gone')]);
    await sqlQuery(hosts.url, 'UPDATE livekit_handlers SET retired_at = 1'); // so that it is not begun
    await host.deliveries.backfill('gone', { fromSeq: 1_000 });
    expect(await host.deliveries.lag()).toMatchObject([{ retired: true, backfilling: 0 }]);
  });
});

describe('the backlog in the metrics', () => {
  const hosts = handlerHosts();

  /** What a process tells of deliveries. */
  const told = async ({ app }: HandlerHost): Promise<string[]> => {
    const text = await app.get<Registry>(METRICS_REGISTRY).metrics();
    return text.split('\n').filter((line) => /^livekit_(delivery_lag|deliveries|routing)/.test(line));
  };

  test('tells of each handler what waits, and for how long it has been due', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const host = await hosts.boot(
      [
        handlerOf('busy', () => held, { kind: 'app', ordering: 'room' }),
        handlerOf('other', () => undefined, { kind: 'app' }),
      ],
      { imports: [MetricsModule.forRoot()] },
    );
    const append = (n: number) => host.log.append('tick', n, { room: { sid: 'RM_1' } });
    await append(0);
    await until('the first to run', async () => (await host.deliveries.lag())[0]?.running === 1);
    for (const n of [1, 2]) await append(n);
    await until('the others to wait', async () => {
      const [busy, other] = await host.deliveries.lag();
      return busy?.running === 1 && busy.pending === 2 && other?.pending === 0 && other.running === 0;
    });
    host.clock.advance(3_000);
    const lines = [
      'livekit_delivery_lag_seconds{handler="busy"} 3',
      'livekit_delivery_lag_seconds{handler="other"} 0',
      'livekit_deliveries_pending{handler="busy"} 2',
      'livekit_deliveries_pending{handler="other"} 0',
      'livekit_deliveries_dead{handler="busy"} 0',
      'livekit_deliveries_dead{handler="other"} 0',
      'livekit_routing_lag_seconds 0',
    ];
    expect(await told(host)).toEqual(lines);
    if (onPostgres) {
      const edge = await hosts.boot([], { imports: [MetricsModule.forRoot()], clock: host.clock });
      expect(await told(edge)).toEqual(lines);
    }
    release();
    await host.deliveries.drain();
    expect(await told(host)).toContain('livekit_delivery_lag_seconds{handler="busy"} 0');
  });
});

describe('a handler that is paused', () => {
  const hosts = handlerHosts();

  test('stays so over a restart, uses up no attempts, and hinders no other', async () => {
    const given: string[] = [];
    const handlers = [
      handlerOf('paused', ({ eventId }, { attempt }) => given.push(`paused ${eventId} ${attempt}`)),
      handlerOf('other', ({ eventId }) => given.push(`other ${eventId}`)),
    ];
    const before = await hosts.boot(handlers);
    await before.deliveries.pause('paused');
    await before.deliveries.pause('paused');
    await before.receive(['EV_1', 'room_started']);
    await before.deliveries.drain();
    await hosts.stop(before);
    const host = await hosts.boot(handlers);
    await host.receive(['EV_2', 'room_started']);
    await host.pass(86_400_000);
    expect(given).toEqual(['other EV_1', 'other EV_2']);
    await host.deliveries.resume('paused');
    await host.deliveries.drain();
    expect(given.slice(2)).toEqual(['paused EV_1 1', 'paused EV_2 1']);
  });

  test('that nobody ever had is an error', async () => {
    const host = await hosts.boot([]);
    for (const call of ['pause', 'resume'] as const) {
      const refused = host.deliveries[call]('nobody');
      await expect(refused).rejects.toThrow(DeliveryNotFoundError);
      await expect(refused).rejects.toThrow('there is no handler `nobody`: `lag()` lists all that there are');
    }
  });

  testOnPostgres('is paused and resumed in every process, by one that need not have it', async () => {
    const given: string[] = [];
    const worker = await hosts.boot([handlerOf('paused', ({ eventId }) => given.push(eventId))]);
    const operator = await hosts.boot([]);
    await operator.deliveries.pause('paused');
    await worker.receive(['EV_1', 'room_started']);
    await worker.deliveries.drain();
    expect(given).toEqual([]);
    await operator.deliveries.resume('paused');
    await until('the worker to be told', () => given.length === 1);
  });
});

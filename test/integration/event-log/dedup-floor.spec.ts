import { floorsOf } from '../../../src/event-log/retention/dedup-floor.js';
import { Retention } from '../../../src/event-log/retention/retention.js';
import type { NewEvent } from '../../../src/event-log/events.js';
import type { Type } from '@nestjs/common';
import pg from 'pg';
import { type FreshDatabase, freshDatabase, onPostgres, sqlQuery } from '../../support/database.js';
import { newEvent } from '../../support/events.js';
import { bootHandlers, type HandlerHost, handlerOf } from '../../support/handlers.js';
import { testOnPostgres } from '../../support/only-on.js';
import { countOf } from '../../support/rows.js';
import { until } from '../../support/until.js';
import { NOW } from '../../support/webhook.js';

const DAY = 86_400_000;

/** A webhook that says when it was made. */
const at = (id: string, occurredAt: number, changes: Partial<NewEvent> = {}): NewEvent => ({
  ...newEvent({ id }),
  occurredAt,
  receivedAt: occurredAt + 500,
  ...changes,
});

describe('the floor of some events', () => {
  const floored = { source: 'default', kind: 'livekit', occurredAt: 10 } as const;

  test('is the latest of them, for each source', () => {
    const others = [
      { ...floored, occurredAt: 15 },
      { ...floored, source: 'other', occurredAt: 3 },
    ];
    expect([...floorsOf([floored, ...others])]).toEqual([
      ['default', 15],
      ['other', 3],
    ]);
  });

  test('is made of webhooks only', () => {
    expect([...floorsOf([{ ...floored, kind: 'app' }])]).toEqual([]);
  });
});

describe('the dedup floor', () => {
  let database: FreshDatabase;
  const hosts: HandlerHost[] = [];

  const boot = async (...providers: Type[]): Promise<HandlerHost> => {
    const host = await bootHandlers({ url: database.url, providers });
    hosts.push(host);
    return host;
  };
  const receive = (host: HandlerHost, ...events: NewEvent[]) =>
    Promise.all(events.map((event) => host.log.receive(event)));
  const pruneAll = async (host: HandlerHost) => {
    await host.deliveries.drain();
    host.clock.time += 401 * DAY;
    return host.app.get(Retention).prune();
  };
  const stored = () => countOf(database.url, 'livekit_events');

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.app.close();
    await database.drop();
  });

  test('is not there before an event is pruned: nothing is too old for a new store', async () => {
    const host = await boot();
    expect(await receive(host, at('EV_1', 0))).toEqual(['accepted']);
  });

  test('keeps a repeat of a pruned event from being stored again', async () => {
    const host = await boot();
    const events = [at('EV_1', NOW - 60_000), at('EV_2', NOW)];
    await receive(host, ...events);
    expect(await pruneAll(host)).toMatchObject({ events: 2 });
    expect(await receive(host, ...events, at('EV_never_seen', NOW - 1_000))).toEqual([
      'too_old',
      'too_old',
      'too_old',
    ]);
    expect(await receive(host, at('EV_3', NOW + 1))).toEqual(['accepted']);
    expect(await stored()).toBe(1);
  });

  test('holds for its source only, and for webhooks only', async () => {
    const host = await boot();
    await receive(host, at('EV_1', NOW));
    await pruneAll(host);
    const others = (['session', 'reconciled', 'app', 'delivery'] as const).map((kind) =>
      at(`${kind}:1`, NOW - 1_000, { kind }),
    );
    expect(await receive(host, at('EV_1', NOW, { source: 'other' }), ...others)).toEqual(
      Array(5).fill('accepted'),
    );
  });

  test('is not raised by an event that says it is of the future, which stays until then', async () => {
    const host = await boot();
    const ahead = at('EV_1', NOW + 500 * DAY, { receivedAt: NOW });
    await receive(host, ahead);
    expect(await pruneAll(host)).toMatchObject({ events: 0 });
    expect(await receive(host, ahead, at('EV_2', NOW + 1))).toEqual(['duplicate', 'accepted']);
    host.clock.time += 500 * DAY;
    expect(await pruneAll(host)).toMatchObject({ events: 2 });
    expect(await receive(host, ahead)).toEqual(['too_old']);
  });

  test('lets what is still stored below it be told as before', async () => {
    const host = await boot();
    const kept = at('EV_kept', NOW - 1_000, { receivedAt: NOW + 300 * DAY });
    await receive(host, at('EV_1', NOW), kept);
    expect(await pruneAll(host)).toMatchObject({ events: 1 });
    const other = { ...kept, bodySha256: '0'.repeat(64) };
    expect(await receive(host, kept, other, at('EV_1', NOW))).toEqual(['duplicate', 'conflict', 'too_old']);
  });

  test('is not raised by an event that stays because a handler has yet to be given it', async () => {
    const host = await boot(handlerOf('late', undefined, { names: ['room_finished'] }));
    await host.deliveries.pause('late');
    await receive(host, at('EV_1', NOW), at('EV_2', NOW + 1_000, { name: 'room_finished' }));
    expect(await pruneAll(host)).toMatchObject({ events: 1 });
    expect(await receive(host, at('EV_1', NOW), at('EV_3', NOW + 500))).toEqual(['too_old', 'accepted']);
  });

  test('never goes down', async () => {
    const host = await boot();
    await receive(host, at('EV_1', NOW), at('EV_2', NOW - 1_000, { receivedAt: NOW + 300 * DAY }));
    expect(await pruneAll(host)).toMatchObject({ events: 1 });
    expect(await pruneAll(host)).toMatchObject({ events: 1 });
    expect(await sqlQuery(database.url, 'SELECT * FROM livekit_floors')).toMatchObject([
      { source: 'default', occurred_at: onPostgres ? String(NOW) : NOW },
    ]);
  });

  test('leaves no moment in which a repeat could be taken for a new event', async () => {
    const pruner = await boot();
    const edge = onPostgres ? await boot() : pruner;
    const events = Array.from({ length: 3_000 }, (_, i) => at(`EV_${i}`, NOW + i * 1_000));
    await receive(pruner, ...events);
    const ended = new AbortController();
    const pruning = pruneAll(pruner).finally(() => ended.abort());
    const told = new Set<string>();
    while (!ended.signal.aborted) {
      for (let from = 0; from < events.length; from += 100) {
        for (const outcome of await receive(edge, ...events.slice(from, from + 100))) told.add(outcome);
      }
    }
    await pruning;
    for (const outcome of await receive(edge, ...events)) told.add(outcome);
    expect([...told].filter((outcome) => outcome !== 'duplicate')).toEqual(['too_old']);
    expect(await stored()).toBe(0);
  });

  /** A transaction that has begun an insert, and has not looked yet. */
  const earlyInsert = async () => {
    const early = new pg.Client({ connectionString: database.url });
    await early.connect();
    await early.query('BEGIN');
    await early.query('LOCK TABLE livekit_events IN ROW EXCLUSIVE MODE');
    return early;
  };

  testOnPostgres('is waited for by what is pruned, until every append sees it', async () => {
    const host = await boot();
    await receive(host, at('EV_1', NOW));
    const early = await earlyInsert();
    const pruning = pruneAll(host);
    await until('the floor', async () => (await countOf(database.url, 'livekit_floors')) > 0);
    expect(await stored()).toBe(1);
    await early.end();
    expect(await pruning).toMatchObject({ events: 1 });
    expect(await stored()).toBe(0);
  });

  testOnPostgres('that an append may never see prunes nothing, which is told', async () => {
    const host = await boot();
    await receive(host, at('EV_1', NOW));
    const early = await earlyInsert();
    expect(await pruneAll(host)).toMatchObject({ events: 0 });
    expect(host.logger.said('Retention')).toEqual([
      'a transaction on the log has been open for long: pruning its events later',
    ]);
    expect(await stored()).toBe(1);
    await early.end();
    expect(await host.app.get(Retention).prune()).toMatchObject({ events: 1 });
  });
});

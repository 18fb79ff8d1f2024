import { Injectable } from '@nestjs/common';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LoggedEvent } from '../../../src/event-log/events.js';
import { declareHandler } from '../../../src/event-log/handlers/handler.js';
import { Retention } from '../../../src/event-log/retention/retention.js';
import { SessionsModule } from '../../../src/sessions/sessions.module.js';
import { SessionsService } from '../../../src/sessions/sessions.service.js';
import { type FreshDatabase, freshDatabase, sqlQuery } from '../../support/database.js';
import { newEvent } from '../../support/events.js';
import { gate } from '../../support/gate.js';
import { bootHandlers, type HandlerHost, type HandlerHostShape, handlerOf } from '../../support/handlers.js';
import { testOnPostgres } from '../../support/only-on.js';
import { countOf } from '../../support/rows.js';
import { until } from '../../support/until.js';
import { NOW } from '../../support/webhook.js';

const DAY = 86_400_000;

/** Handles everything, and fails on what it is told to fail on. */
@Injectable()
class Fussy {
  static refused = new Set<string>();

  @declareHandler({
    kind: 'livekit',
    names: ['*'],
    options: { name: 'fussy', maxAttempts: 2, backoff: () => 1_000 },
    decode: (event) => event,
  })
  take(event: LoggedEvent): void {
    if (Fussy.refused.has(event.eventId)) throw new Error('not this one');
  }
}

describe('retention', () => {
  let database: FreshDatabase;
  const hosts: HandlerHost[] = [];

  const boot = async (shape: Partial<HandlerHostShape> = {}): Promise<HandlerHost> => {
    const host = await bootHandlers({ url: database.url, providers: [Fussy], ...shape });
    hosts.push(host);
    return host;
  };
  const prune = (host: HandlerHost) => host.app.get(Retention).prune();
  const count = (table: string, condition?: string) => countOf(database.url, `livekit_${table}`, condition);
  const counts = () =>
    Promise.all(['events', 'bodies', 'deliveries', 'attempts'].map((table) => count(table)));
  const appendMany = async (host: HandlerHost, many: number) => {
    for (let from = 0; from < many; from += 5_000) {
      const some = Array.from({ length: Math.min(5_000, many - from) }, (_, i) => `EV_${from + i}`);
      await Promise.all(some.map((id) => host.log.receive(newEvent({ id }))));
    }
    await host.deliveries.drain();
  };

  beforeEach(async () => {
    database = await freshDatabase();
    Fussy.refused = new Set();
  });

  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.app.close();
    await database.drop();
  });

  describe('that nobody asks for', () => {
    const { jest } = import.meta;
    const [MINUTE, HOUR] = [60_000, 3_600_000];

    // Nobody can wait for an hour: timers are put forward, and whatever else goes by them goes on.
    beforeEach(() => {
      const doNotFake = ['Date', 'performance', 'hrtime', 'nextTick', 'queueMicrotask'] as const;
      const others = ['setImmediate', 'clearImmediate', 'setInterval', 'clearInterval'] as const;
      jest.useFakeTimers({ doNotFake: [...doNotFake, ...others], advanceTimers: true });
    });

    afterEach(() => jest.useRealTimers());

    const told = (host: HandlerHost, times: number) =>
      until('it to be told', () => {
        const lines = host.logger.of('Retention');
        return lines.length === times && lines;
      });

    test('is a minute after the start and every hour from there on, and tells what it took', async () => {
      const host = await boot();
      await host.receive(['EV_1', 'room_started', 'RM_1']);
      await host.deliveries.drain();
      host.clock.time += 31 * DAY;
      jest.advanceTimersByTime(MINUTE);
      const first = { message: 'pruned', counts: '1 deliveries, 1 bodies' };
      expect(await told(host, 1)).toEqual([first]);
      host.clock.time += 400 * DAY;
      jest.advanceTimersByTime(HOUR);
      expect(await told(host, 2)).toEqual([first, { message: 'pruned', counts: '1 events' }]);
    });

    test('is tried again an hour later when the store fails', async () => {
      const host = await boot();
      await host.receive(['EV_1', 'room_started', 'RM_1']);
      await host.deliveries.drain();
      host.clock.time += 31 * DAY;
      await sqlQuery(database.url, 'ALTER TABLE livekit_bodies RENAME TO livekit_lost');
      jest.advanceTimersByTime(MINUTE);
      expect(await told(host, 1)).toMatchObject([
        { message: 'the store failed to prune; trying again later' },
      ]);
      await sqlQuery(database.url, 'ALTER TABLE livekit_lost RENAME TO livekit_bodies');
      jest.advanceTimersByTime(HOUR);
      expect(await told(host, 2)).toMatchObject([{}, { message: 'pruned', counts: '1 bodies' }]);
    });
  });

  test('takes nothing before its time', async () => {
    const host = await boot();
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.pass(30 * DAY);
    expect(await prune(host)).toEqual({ bodies: 0, deliveries: 0, events: 0, sessions: 0 });
    expect(await counts()).toEqual([1, 1, 1, 0]);
  });

  test('takes bodies and finished deliveries, and what is left of an event still tells its repeat', async () => {
    const host = await boot();
    Fussy.refused.add('EV_2');
    await host.receive(['EV_1', 'room_started', 'RM_1'], ['EV_2', 'room_finished', 'RM_1']);
    await host.deliveries.drain();
    Fussy.refused.clear();
    await host.pass(1_200); // the second attempt succeeds; the first is on record
    expect(await counts()).toEqual([2, 2, 2, 1]);
    host.clock.time += 30 * DAY + 1;
    expect(await prune(host)).toEqual({ bodies: 2, deliveries: 2, events: 0, sessions: 0 });
    expect(await counts()).toEqual([2, 0, 0, 0]);
    const repeat = newEvent({
      id: 'EV_1',
      event: 'room_started',
      room: { sid: 'RM_1', name: 'name-of-RM_1' },
    });
    expect(await host.log.receive(repeat)).toBe('duplicate');
    expect(await count('bodies')).toBe(0);
  });

  test('leaves what somebody may still want: a dead letter keeps its event, bytes and attempts until it is dismissed', async () => {
    const host = await boot();
    Fussy.refused.add('EV_1');
    await host.receive(['EV_1', 'room_started', 'RM_1'], ['EV_2', 'room_finished', 'RM_1']);
    await host.deliveries.drain();
    await host.pass(1_200);
    const [dead] = (await host.deliveries.list({ state: 'dead' })).deliveries;
    host.clock.time += 500 * DAY;
    await prune(host);
    expect(await count('events', "kind = 'livekit'")).toBe(1);
    expect(await counts()).toEqual([1, 1, 1, 2]);
    await host.deliveries.dismiss(dead?.id as number);
    host.clock.time += 30 * DAY + 1;
    expect(await prune(host)).toMatchObject({ deliveries: 1, events: 1 });
    expect(await counts()).toEqual([0, 0, 0, 0]);
  });

  test('takes nothing because the clock was ahead for a while', async () => {
    const host = await boot();
    host.clock.time += 500 * DAY;
    await host.deliveries.drain();
    host.clock.time -= 500 * DAY;
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    expect(await prune(host)).toEqual({ bodies: 0, deliveries: 0, events: 0, sessions: 0 });
    expect(await host.log.receive(newEvent({ id: 'EV_2' }))).toBe('accepted');
  });

  test('leaves what is still to be handed out, however old it is', async () => {
    const host = await boot();
    await host.deliveries.pause('fussy');
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.pass(500 * DAY);
    await prune(host);
    expect(await counts()).toEqual([1, 1, 1, 0]);
  });

  test('leaves what a backfill has yet to give, what is new and waits behind that among it', async () => {
    const before = await boot({ providers: [] });
    await appendMany(before, 1_600); // more than a handler is given in advance
    await before.receive(['EV_unheard', 'participant_left', 'RM_1']);
    await before.deliveries.drain();
    await hosts.pop()?.app.close();
    const given = new Set<string>();
    const paused = gate();
    const take = async ({ eventId }: LoggedEvent) => {
      await paused.opened;
      given.add(eventId);
    };
    const names = ['room_started'];
    const host = await boot({
      providers: [handlerOf('late', take, { names, ordering: 'room', backfill: true })],
    });
    await host.deliveries.pause('late');
    paused.open();
    await host.receive(['EV_new', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    host.clock.time += 500 * DAY;
    await prune(host);
    expect(await count('events', "event_id = 'EV_unheard'")).toBe(0);
    await host.deliveries.resume('late');
    await host.deliveries.drain();
    expect(given.size).toBe(1_601);
    expect(given).toContain('EV_new');
    host.clock.time += 31 * DAY;
    await prune(host);
    expect(await counts()).toEqual([0, 0, 0, 0]);
  });

  test('looks behind more dead letters than it takes at once', async () => {
    const host = await boot();
    for (let i = 0; i < 1_200; i++) if (i < 600) Fussy.refused.add(`EV_${i}`);
    await appendMany(host, 1_200);
    await host.pass(1_200);
    expect(await count('deliveries', "state = 'dead'")).toBe(600);
    host.clock.time += 401 * DAY;
    expect(await prune(host)).toMatchObject({ deliveries: 600, bodies: expect.any(Number) });
    expect(await count('events', "kind = 'livekit'")).toBe(600);
    expect(await counts()).toEqual([600, 600, 600, 1_200]);
  });

  test('takes each delivery when its own time is over', async () => {
    const host = await boot({
      options: { retention: { bodies: false, deliveries: 30 * DAY, events: false } },
    });
    for (const id of ['EV_1', 'EV_2']) {
      await host.receive([id, 'room_started']);
      await host.deliveries.drain();
      host.clock.time += 20 * DAY;
    }
    expect(await prune(host)).toMatchObject({ deliveries: 1 });
    host.clock.time += 20 * DAY;
    expect(await prune(host)).toMatchObject({ deliveries: 1 });
    expect(await counts()).toEqual([2, 2, 0, 0]);
  });

  test('takes with an event all that is left of it, were that kept for ever', async () => {
    const host = await boot({ options: { retention: { bodies: false, deliveries: false, events: DAY } } });
    Fussy.refused.add('EV_1');
    await host.receive(['EV_1', 'room_started']);
    await host.deliveries.drain();
    Fussy.refused.clear();
    await host.pass(1_200); // the second attempt succeeds
    expect(await counts()).toEqual([1, 1, 1, 1]);
    host.clock.time += 2 * DAY;
    expect(await prune(host)).toEqual({ bodies: 0, deliveries: 0, events: 1, sessions: 0 });
    expect(await counts()).toEqual([0, 0, 0, 0]);
  });

  test('keeps for ever what it is told to keep', async () => {
    const retention = { bodies: false, deliveries: false, events: false } as const;
    const host = await boot({ options: { retention } });
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.pass(10_000 * DAY);
    await prune(host);
    expect(await counts()).toEqual([1, 1, 1, 0]);
  });

  test('is as short as it is told', async () => {
    const host = await boot({ options: { retention: { bodies: 0, deliveries: 60_000, events: DAY } } });
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.pass(1_000);
    expect(await prune(host)).toMatchObject({ bodies: 1, deliveries: 0, events: 0 });
    host.clock.time += 60_001;
    expect(await prune(host)).toMatchObject({ bodies: 0, deliveries: 1, events: 0 });
    host.clock.time += DAY;
    expect(await prune(host)).toMatchObject({ events: 1 });
    expect(await counts()).toEqual([0, 0, 0, 0]);
  });

  test('keeps sessions for ever unless it is told, and then takes them with their facts, a room at once', async () => {
    const call = async (host: HandlerHost, sid: string, at: number) => {
      const events = ['room_started', 'participant_joined', 'participant_left', 'room_finished'];
      for (const [i, event] of events.entries()) {
        const said = newEvent({
          id: `EV_${sid}_${at}_${event}`,
          event,
          room: { sid, name: `call-${sid}` },
          ...(event.startsWith('participant') && {
            participant: { sid: `PA_${sid}_${at}`, identity: 'caller' },
          }),
        });
        await host.log.receive({ ...said, occurredAt: at + i * 1_000, receivedAt: at + i * 1_000 });
      }
      await host.deliveries.drain();
    };
    const rows = () => Promise.all(['sessions', 'rooms', 'connections'].map((table) => count(table)));

    const keeping = await boot({ imports: [SessionsModule.forRoot()] });
    await call(keeping, 'RM_old', NOW);
    await call(keeping, 'RM_reopened', NOW);
    await call(keeping, 'RM_reopened', NOW + 5 * DAY);
    await keeping.pass(6 * DAY); // they settle
    keeping.clock.time += 5_000 * DAY;
    expect(await prune(keeping)).toMatchObject({ events: 12 + 15, sessions: 0 }); // LiveKit's, and five of each session
    expect(await rows()).toEqual([3, 2, 3]);
    await hosts.pop()?.app.close();

    const host = await boot({
      imports: [SessionsModule.forRoot()],
      options: { retention: { sessions: 3 * DAY } },
      time: NOW + 6 * DAY,
    });
    expect(await prune(host)).toMatchObject({ sessions: 1 });
    expect(await rows()).toEqual([2, 1, 2]);
    const { sessions } = await host.app.get(SessionsService).list();
    expect(sessions.map(({ roomSid }) => roomSid)).toEqual(['RM_reopened', 'RM_reopened']);
    host.clock.time += 3 * DAY;
    expect(await prune(host)).toMatchObject({ sessions: 2 });
    expect(await rows()).toEqual([0, 0, 0]);
  });

  test('lets webhooks through while it prunes a great many events', async () => {
    const host = await boot({ providers: [] });
    await appendMany(host, 50_000);
    host.clock.time += 401 * DAY;
    const ended = new AbortController();
    const pruning = prune(host).finally(() => ended.abort());
    const outcomes = new Map<string, number>();
    for (let i = 0; !ended.signal.aborted; i++) {
      await nextTurn(); // as a request would: timers have their turn between two
      const fresh = {
        ...newEvent({ id: `EV_fresh_${i}` }),
        occurredAt: host.clock.time,
        receivedAt: host.clock.time,
      };
      const outcome = await host.log.receive(fresh); // rejects when it is refused
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect(await pruning).toMatchObject({ events: 50_000 });
    expect([...outcomes.keys()]).toEqual(['accepted']);
    expect(await count('events')).toBe(outcomes.get('accepted'));
    expect(await count('bodies')).toBe(outcomes.get('accepted'));
  }, 120_000);

  test('ends with the batch in hand when the application stops', async () => {
    const host = await boot({ providers: [] });
    await appendMany(host, 5_000);
    host.clock.time += 401 * DAY;
    const pruning = prune(host);
    await hosts.pop()?.app.close();
    const { events, bodies } = await pruning;
    expect(await count('events')).toBe(5_000 - events);
    expect(await count('bodies')).toBe(5_000 - Math.max(bodies, events));
  });

  testOnPostgres('is shared by several processes, and nothing is counted twice', async () => {
    const [first, second] = [await boot({ providers: [] }), await boot({ providers: [] })] as const;
    await appendMany(first, 3_000);
    first.clock.time += 401 * DAY;
    second.clock.time += 401 * DAY;
    const [one, other] = await Promise.all([prune(first), prune(second)]);
    const rest = await prune(first);
    expect(one.events + other.events + rest.events).toBe(3_000);
    expect(await counts()).toEqual([0, 0, 0, 0]);
  });
});

import { EventStore } from '../../../src/database/event-store.js';
import { EventLog } from '../../../src/event-log/event-log.js';
import type { LoggedEvent } from '../../../src/event-log/events.js';
import { LogFollower } from '../../../src/event-log/log-follower.js';
import { type FreshDatabase, freshDatabase, onPostgres, sqlQuery } from '../../support/database.js';
import { newEvent } from '../../support/events.js';
import { until } from '../../support/until.js';

describe('a follower of the log', () => {
  let database: FreshDatabase;
  let store: EventStore;
  let log: EventLog;
  const followers: LogFollower[] = [];

  const follow = (handle: (events: readonly LoggedEvent[]) => Promise<void>, on = { store, log }) => {
    const follower = new LogFollower(on.store, on.log, (events) => handle(events));
    followers.push(follower);
    follower.start();
    return follower;
  };
  const appendAll = (ids: readonly string[]) => Promise.all(ids.map((id) => log.append(newEvent({ id }))));
  const ids = Array.from({ length: 300 }, (_, index) => `EV_${String(index).padStart(3, '0')}`);

  beforeEach(async () => {
    database = await freshDatabase();
    store = await EventStore.open({ url: database.url });
    log = new EventLog(store);
  });

  afterEach(async () => {
    for (const follower of followers.splice(0)) await follower.stop();
    await log.onApplicationShutdown();
    await database.drop();
  });

  test('is handed every event once, in the order of the log, with its bytes', async () => {
    const handed: LoggedEvent[] = [];
    follow(async (events) => void handed.push(...events));
    await appendAll(ids);
    await until('all events', () => handed.length >= ids.length);
    expect(handed.map(({ eventId }) => eventId)).toEqual(ids);
    expect(handed[0]).toEqual({ ...newEvent({ id: 'EV_000' }), seq: handed[0]?.seq });
  });

  test('is handed again what it failed on, all of it, and nothing is skipped', async () => {
    const handed: string[] = [];
    let failures = 3;
    follow(async (events) => {
      if (failures-- > 0) throw new Error('the store is away');
      handed.push(...events.map(({ eventId }) => eventId));
    });
    await appendAll(ids);
    await until('all events', () => handed.length >= ids.length);
    expect(handed).toEqual(ids);
  });

  test('goes on after a restart where it stopped', async () => {
    const handed: string[] = [];
    const take = async (events: readonly LoggedEvent[]) =>
      void handed.push(...events.map(({ eventId }) => eventId));
    const first = follow(take);
    await appendAll(ids.slice(0, 100));
    await first.stop();
    await appendAll(ids.slice(100));
    await log.onApplicationShutdown();
    store = await EventStore.open({ url: database.url });
    log = new EventLog(store);
    follow(take);
    await until('all events', () => handed.length >= ids.length);
    expect(handed.toSorted()).toEqual(ids);
  });

  test('does not miss an event that is committed after one of a greater seq', async () => {
    const handed: string[] = [];
    follow(async (events) => void handed.push(...events.map(({ eventId }) => eventId)));
    await appendAll(['EV_early', 'EV_late']);
    await until('both', () => handed.length === 2);
    // As a slower writer would leave it: a seq below the greatest one that has been read.
    await sqlQuery(
      database.url,
      "UPDATE livekit_events SET routed = false, event_id = 'EV_slow' WHERE event_id = 'EV_early'",
    );
    await until('the slow one', () => handed.includes('EV_slow'));
  });

  const onServer = onPostgres ? test : test.skip;

  onServer('shares the log with another process, and no event is handed twice', async () => {
    const handed: string[] = [];
    const take = async (events: readonly LoggedEvent[]) =>
      void handed.push(...events.map(({ eventId }) => eventId));
    const otherStore = await EventStore.open({ url: database.url });
    const otherLog = new EventLog(otherStore);
    follow(take);
    const other = follow(take, { store: otherStore, log: otherLog });
    await Promise.all(ids.map((id, index) => (index % 2 ? log : otherLog).append(newEvent({ id }))));
    await until('all events', () => handed.length >= ids.length);
    await other.stop();
    await otherLog.onApplicationShutdown();
    expect(handed.toSorted()).toEqual(ids);
  });
});

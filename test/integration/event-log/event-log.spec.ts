import { bytes } from '../../../src/database/sql.js';
import type { EventLog } from '../../../src/event-log/event-log.js';
import type { LoggedEvent } from '../../../src/event-log/events.js';
import { type FreshDatabase, freshDatabase, sqlQuery } from '../../support/database.js';
import { openEventLog } from '../../support/event-log.js';
import { newEvent } from '../../support/events.js';
import { testOnSqlite } from '../../support/only-on.js';

describe('the event log', () => {
  let database: FreshDatabase;
  let log: EventLog;

  const open = () => openEventLog(database.url);
  const stored = () =>
    sqlQuery<{ event_id: string }>(database.url, 'SELECT * FROM livekit_events ORDER BY seq');

  beforeEach(async () => {
    database = await freshDatabase();
    log = await open();
  });

  afterEach(async () => {
    await log.onApplicationShutdown();
    await database.drop();
  });

  test('stores an event with its bytes', async () => {
    const event = newEvent({ id: 'EV_1', room: { sid: 'RM_1', name: 'Zürich 東京 🎙' } });
    expect(await log.receive(event)).toBe('accepted');
    expect(await stored()).toMatchObject([
      {
        source: 'default',
        event_id: 'EV_1',
        name: 'room_started',
        room_sid: 'RM_1',
        room_name: 'Zürich 東京 🎙',
      },
    ]);
    const [body] = await sqlQuery<{ raw: Buffer }>(database.url, 'SELECT raw FROM livekit_bodies');
    expect(bytes(body?.raw as Buffer).equals(event.body)).toBe(true);
  });

  test('tells a repeat from a new event, across a restart too', async () => {
    expect(await log.receive(newEvent({ id: 'EV_1' }))).toBe('accepted');
    expect(await log.receive(newEvent({ id: 'EV_1' }))).toBe('duplicate');
    await log.onApplicationShutdown();
    log = await open();
    expect(await log.receive(newEvent({ id: 'EV_1' }))).toBe('duplicate');
    expect(await stored()).toHaveLength(1);
  });

  test('takes the same event id in another project for another event', async () => {
    expect(await log.receive(newEvent({ id: 'EV_1' }))).toBe('accepted');
    expect(await log.receive({ ...newEvent({ id: 'EV_1' }), source: 'other' })).toBe('accepted');
  });

  test('keeps the first of two events under one id, and the bytes of the second in quarantine', async () => {
    await log.receive(newEvent({ id: 'EV_1', room: { sid: 'RM_1' } }));
    const other = newEvent({ id: 'EV_1', room: { sid: 'RM_2' } });
    expect(await log.receive(other)).toBe('conflict');
    expect(await log.receive(other)).toBe('conflict');
    expect(await stored()).toMatchObject([{ room_sid: 'RM_1' }]);
    const quarantined = await sqlQuery(database.url, 'SELECT sha256, reason, times FROM livekit_quarantine');
    expect(quarantined).toHaveLength(1);
    expect(quarantined[0]).toMatchObject({ sha256: other.bodySha256, reason: 'conflict' });
    expect(Number(quarantined[0]?.['times'])).toBe(2);
  });

  test('sorts out a crowd that arrives at once, repeats and conflicts among it', async () => {
    const crowd = Array.from({ length: 600 }, (_, index) => newEvent({ id: `EV_${index % 500}` }));
    const outcomes = await Promise.all(
      [...crowd, newEvent({ id: 'EV_7', room: { sid: 'RM_x' } })].map((event) => log.receive(event)),
    );
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(500);
    expect(outcomes.filter((outcome) => outcome === 'duplicate')).toHaveLength(100);
    expect(outcomes.at(-1)).toBe('conflict');
    expect(new Set((await stored()).map((row) => row.event_id)).size).toBe(500);
  });

  test('keeps the bytes of every event of a crowd, and of two under one id those of the first', async () => {
    const crowd = Array.from({ length: 40 }, (_, n) =>
      newEvent({ id: `EV_${n}`, room: { name: 'x'.repeat(n) } }),
    );
    const late = newEvent({ id: 'EV_7', room: { name: 'another' } });
    await log.receive(newEvent({ id: 'EV_39', room: { name: 'stored before' } }));
    const outcomes = await Promise.all([...crowd, late].map((event) => log.receive(event)));
    expect(outcomes.slice(-2)).toEqual(['conflict', 'conflict']);
    const rows = await sqlQuery<{ event_id: string; raw: Buffer }>(
      database.url,
      'SELECT event_id, raw FROM livekit_events JOIN livekit_bodies ON event_seq = seq',
    );
    const kept = new Map(rows.map(({ event_id, raw }) => [event_id, bytes(raw).toString()]));
    expect(kept.size).toBe(40);
    for (const { eventId, body } of crowd.slice(0, -1)) expect(kept.get(eventId)).toBe(body.toString());
    expect(kept.get('EV_39')).toContain('stored before');
  });

  test('keeps the bytes that belong to what is stored where an earlier one under its id is too old', async () => {
    await sqlQuery(
      database.url,
      "INSERT INTO livekit_floors (source, occurred_at) VALUES ('default', 1795423728000)",
    );
    const old = newEvent({ id: 'EV_1', room: { sid: 'RM_old' } });
    const fresh = { ...newEvent({ id: 'EV_1', room: { sid: 'RM_new' } }), occurredAt: 1_795_423_729_000 };
    const outcomes = await Promise.all([old, fresh, fresh].map((event) => log.receive(event)));
    expect(outcomes).toEqual(['conflict', 'accepted', 'duplicate']);
    expect(await stored()).toMatchObject([{ room_sid: 'RM_new', body_sha256: fresh.bodySha256 }]);
    const [body] = await sqlQuery<{ raw: Buffer }>(database.url, 'SELECT raw FROM livekit_bodies');
    expect(bytes(body?.raw as Buffer).equals(fresh.body)).toBe(true);
  });

  test('a conflict that cannot be kept fails alone', async () => {
    await log.receive(newEvent({ id: 'EV_1' }));
    const sql = (text: string) => sqlQuery(database.url, text);
    await sql('ALTER TABLE livekit_quarantine RENAME TO away');
    const conflict = newEvent({ id: 'EV_1', room: { sid: 'RM_other' } });
    const outcomes = await Promise.allSettled(
      [newEvent({ id: 'EV_2' }), conflict, newEvent({ id: 'EV_1' })].map((event) => log.receive(event)),
    );
    await sql('ALTER TABLE away RENAME TO livekit_quarantine');
    expect(outcomes).toMatchObject([
      { status: 'fulfilled', value: 'accepted' },
      { status: 'rejected', reason: { reason: 'failed' } },
      { status: 'fulfilled', value: 'duplicate' },
    ]);
    expect(await log.receive(conflict)).toBe('conflict');
  });

  test('an event that cannot be stored fails alone', async () => {
    const bad = { ...newEvent({ id: 'EV_bad' }), name: null as unknown as string };
    const outcomes = await Promise.allSettled(
      [newEvent({ id: 'EV_1' }), bad, newEvent({ id: 'EV_2' })].map((event) => log.receive(event)),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await stored()).toHaveLength(2);
  });

  test('announces what is new, once, after its commit', async () => {
    const announced: LoggedEvent[] = [];
    log.onCommitted((events) => announced.push(...events));
    await log.receive(newEvent({ id: 'EV_1' }));
    await log.receive(newEvent({ id: 'EV_1' }));
    expect(announced.map(({ eventId }) => eventId)).toEqual(['EV_1']);
  });

  test('announces what is new of a batch by its place in the log', async () => {
    const announced: LoggedEvent[] = [];
    log.onCommitted((events) => announced.push(...events));
    const ids = ['EV_1', 'EV_1', 'EV_2', 'EV_1', 'EV_3'];
    await Promise.all(ids.map((id) => log.receive(newEvent({ id }))));
    const rows = await sqlQuery<{ seq: number | string; event_id: string }>(
      database.url,
      'SELECT seq, event_id FROM livekit_events ORDER BY seq',
    );
    const places = rows.map(({ seq, event_id }) => [event_id, Number(seq)]);
    expect(announced.map(({ eventId, seq }) => [eventId, seq])).toEqual(places);
    expect(places.map(([id]) => id)).toEqual(['EV_1', 'EV_2', 'EV_3']);
  });

  testOnSqlite('goes on counting where the count of numbers was reset', async () => {
    await log.receive(newEvent({ id: 'EV_1' }));
    await sqlQuery(database.url, 'DELETE FROM sqlite_sequence');
    expect(await log.receive(newEvent({ id: 'EV_2' }))).toBe('accepted');
    expect((await stored()).map(({ event_id }) => event_id)).toEqual(['EV_1', 'EV_2']);
  });

  test('a listener that fails harms neither the append nor other listeners', async () => {
    const heard: string[] = [];
    log.onCommitted(() => {
      throw new Error('a bad listener');
    });
    log.onCommitted((events) => heard.push(...events.map(({ eventId }) => eventId)));
    expect(await log.receive(newEvent({ id: 'EV_1' }))).toBe('accepted');
    expect(heard).toEqual(['EV_1']);
  });

  test('commits what was appended before it is closed, and takes nothing after', async () => {
    await log.receive(newEvent({ id: 'EV_0' }));
    const appended = log.receive(newEvent({ id: 'EV_1' }));
    const conflict = log.receive(newEvent({ id: 'EV_0', room: { sid: 'RM_other' } }));
    await log.onApplicationShutdown();
    expect(await appended).toBe('accepted');
    expect(await conflict).toBe('conflict');
    await expect(log.receive(newEvent({ id: 'EV_2' }))).rejects.toThrow('closed');
    log = await open();
  });

  test('is closed once more without an error, as Nest 11 does when an application is closed twice', async () => {
    await log.onApplicationShutdown();
    await expect(log.onApplicationShutdown()).resolves.toBeUndefined();
    log = await open();
  });
});

import { type DynamicModule, Injectable } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { DeliveryRunner } from '../../../src/event-log/loop/delivery-runner.js';
import { EventLog } from '../../../src/event-log/event-log.js';
import type { LoggedEvent } from '../../../src/event-log/events.js';
import { declareHandler } from '../../../src/event-log/handlers/handler.js';
import { Erasure, ErasureError } from '../../../src/event-log/retention/erasure.js';
import { holds, mentions } from '../../../src/event-log/retention/mentions.js';
import type { Session } from '../../../src/sessions/session.js';
import type { SessionsModuleOptions } from '../../../src/sessions/sessions.options.js';
import { deliveries } from '../../support/captures.js';
import { type FreshDatabase, freshDatabase, onPostgres, sqlQuery } from '../../support/database.js';
import { newEvent } from '../../support/events.js';
import { handlerOf } from '../../support/handlers.js';
import { bootReceiver, type Receiver } from '../../support/receiver.js';
import { countOf, whereIs } from '../../support/rows.js';
import { until } from '../../support/until.js';

/** Fails on every join, and says on whose. */
@Injectable()
class Tattler {
  @declareHandler({
    kind: 'livekit',
    names: ['participant_joined'],
    options: { name: 'tattler', maxAttempts: 2, backoff: () => 0, ordering: 'room' },
    decode: (event) => event,
  })
  take(event: LoggedEvent): void {
    const { participant } = JSON.parse(event.body.toString()) as { participant: { identity: string } };
    throw new Error(`no account for ${participant.identity} in ${event.roomName}`);
  }
}

const tattling: DynamicModule = { module: class Tattling {}, providers: [Tattler] };

/** What is counted of sessions, and whom it is counted of by the order they came. */
const figures = (sessions: readonly Session[]) =>
  sessions
    .map(
      ({
        roomSid,
        startedAt,
        endedAt,
        durationSeconds,
        participantSeconds,
        peakParticipants,
        participants,
      }) => ({
        roomSid,
        startedAt,
        endedAt,
        durationSeconds,
        participantSeconds,
        peakParticipants,
        participants: participants
          .map(({ kind, sip, connections }) => ({ kind, direction: sip?.direction, connections }))
          .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      }),
    )
    .sort((a, b) => (a.roomSid < b.roomSid ? -1 : 1));

const SCENARIOS = ['two-party-call', 'leave-and-return', 'duplicate-identity', 'sip-caller', 'recorded-call'];

describe('what a body mentions', () => {
  const body = (value: unknown) => Buffer.from(JSON.stringify(value));

  test('is any value at any depth, and nothing less than a whole one', () => {
    expect(mentions(body({ a: [{ b: 'René' }] }), 'René')).toBe(true);
    expect(mentions(body({ a: 'René and others' }), 'René')).toBe(false);
    expect(mentions(body({ René: 1 }), 'René')).toBe(false);
  });

  test('is told however it is written', () => {
    expect(mentions(Buffer.from('{"a":"Ren\\u00e9"}'), 'René')).toBe(true);
    expect(mentions(body({ a: 'a "quoted" \\ name' }), 'a "quoted" \\ name')).toBe(true);
    expect(mentions(Buffer.from('{"a":"caller","a":"other"}'), 'caller')).toBe(true);
  });

  test('is told of JSON that is a text in JSON, as metadata often is', () => {
    const metadata = JSON.stringify({ customer: { id: 'René "R" B' }, caller: 1 });
    expect(mentions(body({ room: { metadata } }), 'René "R" B')).toBe(true);
    expect(mentions(body({ room: { metadata } }), 'René')).toBe(false);
    expect(mentions(body({ room: { metadata } }), 'caller')).toBe(false);
    expect(mentions(body({ room: { metadata: JSON.stringify('caller') } }), 'caller')).toBe(true);
  });

  test('is told of a body as large as any', () => {
    expect(mentions(body({ a: 'x\n'.repeat(10_000_000), b: 'caller' }), 'caller')).toBe(true);
  });

  test('is, of an error text, any part of it', () => {
    expect(holds(body({ error: 'no account for a "quoted" name' }), 'a "quoted" name')).toBe(true);
    expect(holds(body({ error: 'no account' }), 'a "quoted" name')).toBe(false);
  });

  test('is any of its bytes where it is no JSON', () => {
    expect(mentions(Buffer.from('{"a":"caller-1'), 'caller-1')).toBe(true);
    expect(mentions(Buffer.from('{"a":"Ren\\u00e9","cut'), 'René')).toBe(true);
    expect(mentions(Buffer.from('nothing'), 'caller-1')).toBe(false);
  });
});

describe('erasure', () => {
  let database: FreshDatabase;
  let receiver: Receiver;

  const boot = async (options: SessionsModuleOptions = {}) => {
    receiver = await bootReceiver(database.url, options, [tattling]);
    for (const scenario of SCENARIOS) {
      for (const delivery of deliveries(scenario)) await receiver.send(delivery);
      await receiver.app.get(DeliveryRunner).drain(); // while its clock stands there
    }
    return receiver.sessions();
  };
  const erasure = () => receiver.app.get(Erasure);
  const bytesOf = (suffix = ''): Buffer => readFileSync(database.url.slice('file:'.length) + suffix);
  const expectGone = async (...texts: string[]) => {
    for (const text of texts) {
      expect(await whereIs(database.url, text)).toEqual([]);
      if (!onPostgres) expect([text, bytesOf('-wal').includes(text)]).toEqual([text, false]);
    }
    if (onPostgres) return;
    // Where SQLite has moved rows between pages, copies may be left until then (`docs/retention.md`).
    await sqlQuery(database.url, 'VACUUM');
    await sqlQuery(database.url, 'PRAGMA wal_checkpoint(TRUNCATE)');
    for (const text of texts) expect([text, bytesOf().includes(text)]).toEqual([text, false]);
  };

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    await receiver.app.close();
    await database.drop();
  });

  test('leaves nothing of an identity, and every figure as it was', async () => {
    const before = await boot();
    const log = receiver.app.get(EventLog);
    for (const [i, raw] of ['{"identity":"caller-1003"}', '{"cut":"caller-1003'].entries()) {
      const body = { source: 'default', sha256: `${i}`, reason: 'invalid', raw: Buffer.from(raw), at: 0 };
      await log.quarantine(body);
    }
    await log.append('order.created', { customers: [{ id: 'caller-1003' }] });
    const places = await whereIs(database.url, 'caller-1003');
    expect(places).toEqual([
      'livekit_attempts.error',
      'livekit_bodies.raw',
      'livekit_connections.identity',
      'livekit_deliveries.error',
      'livekit_quarantine.raw',
    ]);
    const events = await countOf(database.url, 'livekit_events');

    const counts = await erasure().eraseIdentity('caller-1003');

    expect(counts).toMatchObject({ quarantined: 2, roomNames: 0, sessions: 2 });
    expect(counts.bodies).toBeGreaterThan(4);
    expect(counts.errors).toBeGreaterThan(4); // two joins, two attempts each, and the last error of both
    await expectGone('caller-1003');
    const after = await receiver.sessions();
    expect(figures(after)).toEqual(figures(before));
    expect(await countOf(database.url, 'livekit_events')).toBe(events);
    const session = after.find(({ roomName }) => roomName === 'call-1003');
    const erased = session?.participants.filter(({ identity }) => /^erased-[0-9a-f]{12}$/.test(identity));
    expect(erased).toMatchObject([{ name: null, attributes: {}, connections: [{}, {}] }]);
    const was = before.find(({ roomName }) => roomName === 'call-1003');
    expect(session?.revision).toBe((was?.revision as number) + 1);
    expect(await whereIs(database.url, 'caller-1002')).not.toEqual([]); // others stay
    expect(await erasure().eraseIdentity('caller-1003')).toEqual({
      bodies: 0,
      quarantined: 0,
      errors: 0,
      roomNames: 0,
      sessions: 0,
    });
  });

  test("leaves nothing of a caller's telephone number, and knows still that the call came in", async () => {
    const before = await boot();
    expect(await whereIs(database.url, '+15550100')).toContain('livekit_connections.phone_number');
    await erasure().eraseIdentity('sip_+15550100');
    await expectGone('+15550100', 'sip_+15550100');
    const after = await receiver.sessions();
    expect(figures(after)).toEqual(figures(before));
    const sip = after.flatMap(({ participants }) => participants).find(({ kind }) => kind === 'sip');
    expect(sip?.sip).toMatchObject({ direction: 'inbound', from: null, callId: null });
  });

  test.each(['name', 'sid'])('leaves nothing of a room by its %s, and every figure as it was', async (by) => {
    const before = await boot();
    const roomSid = before.find(({ roomName }) => roomName === 'call-1001')?.roomSid as string;
    const headers = await countOf(database.url, 'livekit_events', "room_name = 'call-1001'");
    expect(headers).toBeGreaterThan(5);

    const counts = await erasure().eraseRoom(by === 'name' ? 'call-1001' : roomSid);

    expect(counts).toMatchObject({ roomNames: headers, sessions: 1 });
    await expectGone('call-1001');
    const after = await receiver.sessions();
    expect(figures(after)).toEqual(figures(before));
    const session = after.find((one) => one.roomSid === roomSid);
    expect(session?.roomName).toMatch(/^erased-[0-9a-f]{12}$/);
    expect(session?.sessionId).toBe(session?.roomName);
    const names = await sqlQuery<{ room_name: string }>(
      database.url,
      'SELECT DISTINCT room_name FROM livekit_events WHERE room_sid = ?',
      [roomSid],
    );
    expect(names).toEqual([{ room_name: session?.roomName }]);
    expect(session?.participants.map(({ identity }) => identity)).toContain('caller-1001'); // the people stay
  });

  test('leaves nothing of an identity in rooms that tell of it, though it was never there', async () => {
    receiver = await bootReceiver(database.url, { attributes: ['customer', 'queue'] });
    const creationTimeMs = '1795423728000';
    const room = { sid: 'RM_1', name: 'call-1', creationTimeMs, metadata: '{"for":{"id":"ann \\"A\\""}}' };
    const participant = { sid: 'PA_1', identity: 'agent-1', kind: 'AGENT' };
    const events = [
      { id: 'EV_1', event: 'room_started', room },
      {
        id: 'EV_2',
        event: 'participant_joined',
        room: { ...room, sid: 'RM_2', metadata: '' },
        participant: { ...participant, attributes: { customer: 'ann "A"', queue: 'of ann "A"s' } },
      },
    ];
    for (const event of events) await receiver.app.get(EventLog).receive(newEvent(event));
    const before = await receiver.sessions();
    expect(await whereIs(database.url, 'ann')).toEqual([
      'livekit_bodies.raw',
      'livekit_connections.attributes',
      'livekit_rooms.description',
    ]);
    // What was received, and the five session events of the agent's room that tell its attributes.
    expect(await erasure().eraseIdentity('ann "A"')).toMatchObject({ bodies: 2 + 5, sessions: 2 });
    await expectGone('"ann');
    expect(await whereIs(database.url, 'ann')).toEqual(['livekit_connections.attributes']); // no value of its own
    const after = await receiver.sessions();
    expect(figures(after)).toEqual(figures(before));
    expect(after.flatMap(({ participants }) => participants)).toMatchObject([
      { identity: 'agent-1', attributes: { queue: 'of ann "A"s' } },
    ]);
  });

  test('finds an identity in metadata that escapes it', async () => {
    receiver = await bootReceiver(database.url);
    const room = {
      sid: 'RM_1',
      name: 'call-1',
      creationTimeMs: '1795423728000',
      metadata: '{"id":"Ren\\u00e9"}',
    };
    await receiver.app.get(EventLog).receive(newEvent({ id: 'EV_1', event: 'room_started', room }));
    await receiver.sessions();
    expect(await erasure().eraseIdentity('René')).toMatchObject({ bodies: 1, sessions: 1 });
    await expectGone('u00e9');
  });

  test('stays, whatever is told later of a connection or a room that was erased', async () => {
    receiver = await bootReceiver(database.url);
    const told = { sid: 'RM_1', name: 'zoes room', creationTimeMs: '1795423728000', metadata: 'of zoe' };
    const who = {
      sid: 'PA_1',
      identity: 'zoe',
      name: 'Zoe',
      kind: 'SIP',
      attributes: { 'sip.phoneNumber': '+15550199' },
    };
    const tell = async (id: string, event: string, occurredAt: number) => {
      const participant = event.startsWith('participant') ? { participant: who } : {};
      const body = newEvent({ id, event, room: told, ...participant });
      await receiver.app.get(EventLog).receive({ ...body, occurredAt });
      return receiver.sessions();
    };
    await tell('EV_2', 'participant_joined', 1_795_423_729_000);
    await erasure().eraseIdentity('zoe');
    await erasure().eraseRoom('zoes room');
    await tell('EV_1', 'room_started', 1_795_423_728_000); // earlier than what was known of the room
    const [session] = await tell('EV_3', 'participant_left', 1_795_423_735_000);
    expect(session?.participants).toMatchObject([
      {
        identity: expect.stringMatching(/^erased-/),
        name: null,
        connections: [{ reason: 'UNKNOWN_REASON' }],
      },
    ]);
    await erasure().eraseIdentity('zoe');
    await erasure().eraseRoom('zoes room');
    await expectGone('zoe', 'Zoe', '+15550199');
  });

  test('leaves nothing of a room of which some events tell the name only, and some the sid', async () => {
    receiver = await bootReceiver(database.url, {}, [tattling]);
    const rooms = [{ name: 'secret' }, { sid: 'RM_1', name: 'secret' }, { sid: 'RM_1' }, { name: 'open' }];
    for (const [n, room] of rooms.entries()) {
      const participant = { sid: `PA_${n}`, identity: 'ann' };
      await receiver.app
        .get(EventLog)
        .receive(newEvent({ id: `EV_${n}`, event: 'participant_joined', room, participant }));
    }
    await receiver.sessions();
    expect(await whereIs(database.url, 'secret')).toContain('livekit_deliveries.order_key');
    await erasure().eraseRoom('secret');
    await expectGone('secret');
    expect(await whereIs(database.url, 'PA_2')).not.toContain('livekit_bodies.raw');
    const orders = await sqlQuery<{ order_key: string }>(
      database.url,
      "SELECT order_key FROM livekit_deliveries WHERE handler = 'tattler' ORDER BY event_seq",
    );
    expect(orders.map(({ order_key }) => order_key)).toEqual([
      expect.stringMatching(/^default\/erased-/),
      'default/RM_1',
      'default/RM_1',
      'default/open',
    ]);
  });

  describe('of what handlers failed with', () => {
    const bootFailing = async (errorOf: (eventId: string) => string) => {
      const take = ({ eventId }: LoggedEvent) => {
        throw new Error(errorOf(eventId));
      };
      const options = { names: ['participant_joined'], maxAttempts: 2, backoff: () => 0 };
      const failing = { module: class Failing {}, providers: [handlerOf('failing', take, options)] };
      receiver = await bootReceiver(database.url, {}, [failing]);
      for (const [id, identity] of [
        ['EV_1', 'ann'],
        ['EV_2', 'bob'],
      ] as const) {
        const participant = { sid: `PA_${identity}`, identity };
        const room = { sid: `RM_${identity}`, name: identity };
        await receiver.app
          .get(EventLog)
          .receive(newEvent({ id, event: 'participant_joined', room, participant }));
      }
      await receiver.sessions();
    };
    const FAILED = ['livekit_attempts.error', 'livekit_bodies.raw', 'livekit_deliveries.error'];

    test('is everything that holds an identity, whatever its event tells', async () => {
      await bootFailing((eventId) => `${eventId} is to be paid by zoe`);
      expect(await whereIs(database.url, 'by zoe')).toEqual(FAILED);
      expect(await erasure().eraseIdentity('zoe', { project: 'other' })).toMatchObject({ errors: 0 });
      expect(await whereIs(database.url, 'by zoe')).toEqual(FAILED);
      expect(await erasure().eraseIdentity('zoe')).toMatchObject({ bodies: 2, errors: 6 });
      await expectGone('by zoe');
    });

    test('is everything that its events failed with, whatever that holds', async () => {
      await bootFailing((eventId) => `no account for whom ${eventId} tells of`);
      expect(await whereIs(database.url, 'whom EV_1')).toEqual(FAILED);
      await erasure().eraseIdentity('ann');
      await expectGone('whom EV_1');
      expect(await whereIs(database.url, 'whom EV_2')).toEqual(FAILED);
    });
  });

  test("leaves the host's own name of a session", async () => {
    await boot({ sessionId: (room) => `order-of-${room.sid}` });
    await erasure().eraseRoom('call-1001');
    const { sessionId, roomSid } = (await receiver.sessions()).find(({ roomName }) =>
      roomName?.startsWith('erased-'),
    ) as Session;
    expect(sessionId).toBe(`order-of-${roomSid}`);
  });

  test('still tells repeats of erased events', async () => {
    await boot();
    await erasure().eraseIdentity('caller-1001');
    for (const delivery of deliveries('two-party-call')) expect(await receiver.send(delivery)).toBe(200);
    await receiver.sessions();
    await expectGone('caller-1001');
  });

  test('is of the project that an event was given, though databases keep its name otherwise', async () => {
    await boot();
    await receiver.app.get(EventLog).append('greeted', { by: 'caller-1001' }, { project: 'a\0b' });
    expect(await erasure().eraseIdentity('caller-1001', { project: 'a\0b' })).toMatchObject({ bodies: 1 });
  });

  test('is of one project where it is told so', async () => {
    await boot();
    await receiver.app.get(EventLog).quarantine({
      source: 'default',
      sha256: '1',
      reason: 'invalid',
      raw: Buffer.from('{"identity":"caller-1001"}'),
      at: 0,
    });
    expect(await erasure().eraseIdentity('caller-1001', { project: 'other' })).toEqual({
      bodies: 0,
      quarantined: 0,
      errors: 0,
      roomNames: 0,
      sessions: 0,
    });
    expect(await whereIs(database.url, 'caller-1001')).toContain('livekit_bodies.raw');
    expect(await erasure().eraseIdentity('caller-1001', { project: 'default' })).toMatchObject({
      quarantined: 1,
      sessions: 1,
    });
    await expectGone('caller-1001');
  });

  test('discards what handlers have not been given yet', async () => {
    receiver = await bootReceiver(database.url, {}, [tattling]);
    await receiver.sessions();
    const log = receiver.app.get(EventLog);
    await sqlQuery(database.url, 'UPDATE livekit_handlers SET paused = true');
    await log.receive(
      newEvent({ id: 'EV_1', event: 'participant_joined', participant: { identity: 'late' } }),
    );
    await until('its deliveries', async () => (await countOf(database.url, 'livekit_deliveries')) === 2);
    await erasure().eraseIdentity('late');
    await sqlQuery(database.url, 'UPDATE livekit_handlers SET paused = false');
    await receiver.sessions();
    expect(await countOf(database.url, 'livekit_deliveries', "state = 'discarded'")).toBe(2);
    await expectGone('"late"');
  });

  test('does not walk over what was there long ago', async () => {
    receiver = await bootReceiver(database.url, {}, [tattling]);
    await receiver.sessions();
    for (const [table, key] of [
      ['livekit_events', 'seq'],
      ['livekit_deliveries', 'id'],
    ]) {
      await sqlQuery(
        database.url,
        onPostgres
          ? `ALTER TABLE ${table} ALTER COLUMN ${key} RESTART WITH 1000000000000`
          : `INSERT INTO sqlite_sequence (name, seq) VALUES ('${table}', 1000000000000)`,
      );
    }
    const [room, participant] = [
      { sid: 'RM_1', name: 'secret' },
      { sid: 'PA_1', identity: 'late' },
    ];
    await receiver.app
      .get(EventLog)
      .receive(newEvent({ id: 'EV_1', event: 'participant_joined', room, participant }));
    await receiver.sessions();
    await erasure().eraseRoom('secret');
    await erasure().eraseIdentity('late');
    await expectGone('secret');
    await expectGone('"late"');
  });

  test('refuses to erase nobody', async () => {
    await boot();
    await expect(erasure().eraseIdentity('')).rejects.toThrow(ErasureError);
    await expect(erasure().eraseRoom('')).rejects.toThrow(/give its name or sid/);
  });
});

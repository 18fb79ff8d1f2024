import { Injectable } from '@nestjs/common';
import { EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import type { SessionEvent } from '../../../src/sessions/events/session-events.js';
import type { Session } from '../../../src/sessions/session.js';
import { ConnectionEntity } from '../../../src/database/entities/connection.entity.js';
import { RoomEntity } from '../../../src/database/entities/room.entity.js';
import { SessionEntity } from '../../../src/database/entities/session.entity.js';
import { EventStore } from '../../../src/database/event-store.js';
import { gate } from '../../support/gate.js';
import { testOnSqlite } from '../../support/only-on.js';
import { sessionHosts } from '../../support/session-host.js';

const MINUTE = 60_000;
const ADMIN_TOKEN = 'an-admin-token-for-tests';

describe('how a session went', () => {
  const hosts = sessionHosts();

  test('is what the host says, whatever facts still come, and corrects a settled one', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    await host.pass(MINUTE);
    const told = await host.service.setDisposition('call-1001', 'transferred');
    expect(told).toMatchObject({ disposition: 'transferred', dispositionSource: 'host', state: 'settled' });
    await host.play('two-party-call');
    expect(await host.session()).toEqual(told);
    expect(host.eventsOf('session.corrected')).toMatchObject([
      { before: { disposition: 'completed' }, after: { disposition: 'transferred' } },
    ]);
    expect(await host.service.setDisposition('call-1001', null)).toMatchObject({
      disposition: 'completed',
      dispositionSource: 'rules',
    });
  });

  test('can be said while it goes on', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call', ({ receivedAt }) => receivedAt < '2026-11-23T08:48:50');
    await host.service.setDisposition('call-1001', 'voicemail');
    expect(await host.session()).toMatchObject({ state: 'active', disposition: 'voicemail' });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ state: 'ended', disposition: 'voicemail' });
  });

  // Only there does one write wait for another.
  testOnSqlite('is said of no session when that is pruned meanwhile', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    const { opened, open } = gate();
    const pruning = host.app.get(EventStore).write(async (manager) => {
      await opened;
      for (const entity of [SessionEntity, ConnectionEntity, RoomEntity]) await manager.deleteAll(entity);
    });
    const said = host.service.setDisposition('call-1001', 'transferred').catch(String);
    expect(await host.sessions()).toHaveLength(1); // so the other has read it, too
    open();
    await pruning;
    expect(await said).toMatch(/^SessionNotFoundError/);
  });

  test('is said of no session without an id, which would mean the newest of all', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    const before = await host.session();
    const refused = 'name a session by its id';
    await expect(host.service.setDisposition(undefined as never, 'transferred')).rejects.toThrow(refused);
    await expect(host.service.find(undefined as never)).rejects.toThrow(refused); // nor are all of them found
    expect(await host.session()).toEqual(before);
  });

  test('is said of the newest session of a reused id', async () => {
    const host = await hosts.boot();
    await host.play('reused-room-name');
    await host.service.setDisposition('lobby', 'toured');
    const sessions = await host.service.find('lobby');
    expect(sessions.map(({ disposition }) => disposition)).toEqual(['toured', 'abandoned']);
  });

  test('is what the option says, given the session and its facts, and the rules where it says nothing', async () => {
    const disposition = (session: Session, { connections }: { connections: readonly unknown[] }) =>
      session.disposition === 'deleted' ? `hung_up_by_us_${connections.length}` : undefined;
    const host = await hosts.boot({ sessions: { disposition } });
    await host.play('two-party-call');
    await host.play('room-deleted');
    const said = (await host.sessions()).map((one) => [
      one.sessionId,
      one.disposition,
      one.dispositionSource,
    ]);
    expect(said).toEqual([
      ['call-1005', 'hung_up_by_us_2', 'option'],
      ['call-1001', 'completed', 'rules'],
    ]);
  });

  test('is cut where a character does not fit as a whole', async () => {
    const host = await hosts.boot({ sessions: { disposition: () => `${'x'.repeat(127)}😀 and so on` } });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ disposition: `${'x'.repeat(127)}\uFFFD` });
  });

  test('is what the rules say when the option fails, which is logged', async () => {
    const host = await hosts.boot({
      sessions: {
        disposition: () => {
          throw new Error('no idea');
        },
      },
    });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ disposition: 'completed', dispositionSource: 'rules' });
    expect(host.logger.of('Sessions')[0]).toMatchObject({
      message: 'the option disposition failed: the rules say',
      roomSid: expect.stringMatching(/^RM_/),
      errorType: 'Error',
      errorStack: expect.stringMatching(/backend-word\.spec/),
    });
  });

  test('goes by how many parties make a call', async () => {
    const host = await hosts.boot({ sessions: { parties: 1 } });
    await host.play('receiver-busy');
    expect(await host.session()).toMatchObject({ peakParticipants: 1, disposition: 'completed' });
  });

  test('can not be said of a session that is not known, nor in no words', async () => {
    const host = await hosts.boot();
    await expect(host.service.setDisposition('call-1001', 'lost')).rejects.toThrow(
      /no session `call-1001` is known in project `default`/,
    );
    await expect(host.service.setDisposition('call-1001', ' ')).rejects.toThrow(/1 to 128 characters/);
  });
});

describe('the routes for a backend in another language', () => {
  const hosts = sessionHosts();
  const boot = () => hosts.boot({ sessions: { adminToken: ADMIN_TOKEN, requireExpected: true } });
  type Host = Awaited<ReturnType<typeof boot>>;

  const ask = async (host: Host, method: string, path: string, body?: unknown) => {
    const response = await fetch((await host.app.getUrl()) + path, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as unknown };
  };

  test('take an expectation, and list it', async () => {
    const host = await boot();
    const put = await ask(host, 'PUT', '/voice/sessions/order%2F7/expectation', {
      roomName: 'call-1001',
      metadata: { order: 7 },
      expiresInSeconds: 60,
    });
    expect(put).toMatchObject({
      status: 200,
      json: { sessionId: 'order/7', roomName: 'call-1001', state: 'awaiting', metadata: { order: 7 } },
    });
    const { expectedAt, expiresAt } = put.json as { expectedAt: string; expiresAt: string };
    expect(Date.parse(expiresAt) - Date.parse(expectedAt)).toBe(60_000);
    await host.play('two-party-call');
    expect(await ask(host, 'GET', '/voice/expectations?state=matched')).toMatchObject({
      json: { expectations: [{ sessionId: 'order/7' }], nextCursor: null },
    });
    expect(await ask(host, 'GET', '/voice/expectations?state=awaiting')).toMatchObject({
      json: { expectations: [] },
    });
    expect(await ask(host, 'GET', '/voice/sessions/order%2F7')).toMatchObject({
      json: { sessions: [{ metadata: { order: 7 }, unmatched: null }] },
    });
  });

  test('take an expectation without a word', async () => {
    const host = await boot();
    expect(await ask(host, 'PUT', '/voice/sessions/call-1/expectation', {})).toMatchObject({ status: 200 });
  });

  test('take a disposition, and answer with the session', async () => {
    const host = await boot();
    await host.play('two-party-call');
    const path = '/voice/sessions/call-1001/disposition';
    expect(await ask(host, 'PUT', path, { disposition: 'transferred' })).toMatchObject({
      status: 200,
      json: { sessionId: 'call-1001', disposition: 'transferred', dispositionSource: 'host' },
    });
    expect(await ask(host, 'PUT', path, { disposition: null })).toMatchObject({
      json: { disposition: 'completed' },
    });
    expect(await ask(host, 'PUT', '/voice/sessions/call-9/disposition', { disposition: 'x' })).toMatchObject({
      status: 404,
    });
  });

  test.each([
    ['expectation', [], /JSON object/],
    ['expectation', { room: 'x' }, /`room`: only roomName, metadata, expiresInSeconds/],
    ['expectation', { metadata: 'x' }, /`metadata` must be an object/],
    ['expectation', { metadata: ['x'] }, /`metadata`.*is an object/],
    ['expectation', { expiresInSeconds: -1 }, /`expiresInSeconds`/],
    ['expectation', { roomName: 7 }, /`roomName` must be a text/],
    ['disposition', {}, /`disposition` must be a text, or null/],
    ['disposition', { disposition: '' }, /1 to 128 characters/],
  ])('answer 400 to a wrong %s %j, and say what is wrong', async (what, body, message) => {
    const host = await boot();
    const { status, json } = await ask(host, 'PUT', `/voice/sessions/call-1/${what}`, body);
    expect(status).toBe(400);
    expect((json as { message: string }).message).toMatch(message);
  });

  test('tell a client that sent JSON as a form, as curl does by default, how to send it', async () => {
    const host = await boot();
    const headers = {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      'content-type': 'application/x-www-form-urlencoded',
    };
    const url = `${await host.app.getUrl()}/voice/sessions/call-1/expectation`;
    const response = await fetch(url, { method: 'PUT', headers, body: '{"metadata":{"order":7}}' });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('Content-Type: application/json');
  });

  test('want the admin token', async () => {
    const host = await boot();
    for (const [method, path] of [
      ['GET', '/voice/expectations'],
      ['PUT', '/voice/sessions/call-1/expectation'],
      ['PUT', '/voice/sessions/call-1/disposition'],
    ] as const) {
      const response = await fetch((await host.app.getUrl()) + path, { method });
      expect([path, response.status]).toEqual([path, 401]);
    }
  });

  test('filter sessions by room, time, project and whether they are matched', async () => {
    const host = await boot();
    await host.play('two-party-call');
    await host.play('reused-room-name');
    const ids = async (query: string) =>
      ((await ask(host, 'GET', `/voice/sessions?${query}`)).json as { sessions: Session[] }).sessions.map(
        ({ roomSid }) => roomSid,
      );
    expect(await ids('room=lobby')).toEqual(['RM_j3PKhNMGBwGL', 'RM_52R4b9rjWGhw']);
    expect(await ids('room=RM_ZP36R4UfruiF')).toEqual(['RM_ZP36R4UfruiF']);
    expect(await ids('from=2026-11-23T08:49:25Z')).toEqual(['RM_j3PKhNMGBwGL']);
    expect(await ids('to=2026-11-23T08:49:00Z')).toEqual(['RM_ZP36R4UfruiF']);
    expect(await ids('unmatched=true')).toHaveLength(3);
    expect(await ids('unmatched=false')).toEqual([]);
    expect(await ids('project=another')).toEqual([]);
    expect(await ids('project=default')).toHaveLength(3);
    for (const query of ['from=yesterday', 'unmatched=maybe']) {
      expect(await ask(host, 'GET', `/voice/sessions?${query}`)).toMatchObject({ status: 400 });
    }
  });
});

describe("the host's event emitter", () => {
  const hosts = sessionHosts();

  test('is told of session events as they are committed', async () => {
    const heard: SessionEvent[] = [];

    @Injectable()
    class Listener {
      @OnEvent('session.*')
      hear(event: SessionEvent): void {
        heard.push(event);
      }
    }

    const host = await hosts.boot({
      imports: [EventEmitterModule.forRoot({ wildcard: true })],
      providers: [Listener],
    });
    await host.play('two-party-call');
    await host.pass(MINUTE);
    expect(heard).toEqual(host.events);
  });
});

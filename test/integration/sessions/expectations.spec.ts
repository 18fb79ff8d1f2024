import { TokenVerifier } from 'livekit-server-sdk';
import pg from 'pg';
import { ExpectationEntity } from '../../../src/database/entities/expectation.entity.js';
import { EntityRows } from '../../../src/database/entity-rows.js';
import { EventStore } from '../../../src/database/event-store.js';
import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { CAPTURE_KEY } from '../../support/captures.js';
import { lockWaits } from '../../support/database.js';
import { Retention } from '../../../src/event-log/retention/retention.js';
import { testOnPostgres } from '../../support/only-on.js';
import { is, sessionHosts, without } from '../../support/session-host.js';
import { until } from '../../support/until.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe('an expected session', () => {
  const hosts = sessionHosts();

  test('is matched by its id when its room opens, and told with what was said of it', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    const expected = await host.service.expect('call-1001', { metadata: { order: 4711 } });
    expect(expected).toMatchObject({ state: 'awaiting', roomName: null, roomSid: null });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({
      sessionId: 'call-1001',
      metadata: { order: 4711 },
      unmatched: null,
    });
    expect(host.eventsOf('session.started')).toMatchObject([{ session: { metadata: { order: 4711 } } }]);
    expect((await host.service.expectations()).expectations).toMatchObject([
      { sessionId: 'call-1001', state: 'matched', roomSid: 'RM_ZP36R4UfruiF' },
    ]);
  });

  test('is matched by the name of its room, which then has its id', async () => {
    const host = await hosts.boot({ sessions: { sessionId: () => undefined } });
    await host.service.expect('order-4711', { roomName: 'call-1001' });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ sessionId: 'order-4711', unmatched: null });
    const names = new Set(host.events.map(({ sessionId }) => sessionId));
    expect([...names]).toEqual(['order-4711']);
  });

  test('is matched after its session has begun, and after it has settled, which is a correction', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await host.play('two-party-call');
    await host.pass(MINUTE);
    const before = await host.session();
    expect(before).toMatchObject({ state: 'settled', unmatched: 'not_expected' });
    await host.service.expect('call-1001', { metadata: { late: true } });
    await host.pass(0);
    expect(await host.session()).toMatchObject({ unmatched: null, metadata: { late: true } });
    expect(host.eventsOf('session.corrected')).toMatchObject([
      { before: { unmatched: 'not_expected', metadata: {} }, after: { unmatched: null } },
    ]);
    expect(host.logger.of('Sessions')).toMatchObject([
      { message: 'a session is unmatched', cause: 'not_expected', room: 'call-1001' },
    ]);
  });

  test('is the next one when a room name is used again: what was matched is not expected twice', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await host.service.expect('lobby', { metadata: { visit: 1 } });
    await host.play('reused-room-name', ({ receivedAt }) => receivedAt < '2026-11-23T08:49:25');
    await host.service.expect('lobby', { metadata: { visit: 2 } });
    await host.play('reused-room-name');
    const sessions = await host.service.find('lobby');
    expect(sessions.map(({ metadata, unmatched }) => [metadata, unmatched])).toEqual([
      [{ visit: 2 }, null],
      [{ visit: 1 }, null],
    ]);
  });

  test('is the next one, however often that is expected, once one has come', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await host.service.expect('lobby', { metadata: { visit: 1 } });
    await host.play('reused-room-name', ({ receivedAt }) => receivedAt < '2026-11-23T08:49:25');
    for (const call of ['made', 'repeated', 'withdrawn', 'once more']) {
      const expected = await host.service.expect('lobby', { metadata: { visit: 2, call } });
      expect(expected).toMatchObject({ state: 'awaiting', roomSid: null });
      if (call === 'withdrawn') await host.service.withdraw('lobby');
    }
    await host.play('reused-room-name');
    expect(await host.sessions()).toMatchObject([
      { metadata: { visit: 2, call: 'once more' }, unmatched: null },
      { metadata: { visit: 1 }, unmatched: null },
    ]);
  });

  test('is matched however often its room was expected before', async () => {
    const host = await hosts.boot();
    await host.service.expect('order-4711', { roomName: 'call-1001' });
    await host.app.get(EventStore).write((manager) => {
      const before = Array.from({ length: 2_000 }, (_, n) => ({
        source: 'default',
        sessionId: `order-${n}`,
        roomName: 'call-1001',
        metadata: {},
        state: 'matched' as const,
        expectedAt: n,
        expiresAt: n,
        roomSid: `RM_${n}`,
      }));
      return new EntityRows(manager, ExpectationEntity).upsert(before, ['source', 'sessionId']);
    });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ sessionId: 'order-4711' });
  });

  test('is the one that goes on in its room, though its id was used for an earlier one', async () => {
    const host = await hosts.boot();
    await host.service.expect('order-4711', { roomName: 'lobby', metadata: { visit: 1 } });
    await host.play('reused-room-name', ({ receivedAt }) => receivedAt < '2026-11-23T08:49:25');
    await host.play('reused-room-name', without('room_finished'));
    await host.service.expect('order-4711', { roomName: 'lobby', metadata: { visit: 2 } });
    expect(await host.sessions()).toMatchObject([
      { sessionId: 'order-4711', metadata: { visit: 2 }, state: 'active' },
      { sessionId: 'order-4711', metadata: { visit: 1 } },
    ]);
    await host.pass(20 * MINUTE);
    expect(host.eventsOf('session.expired')).toEqual([]);
  });

  test('is the next one, whatever comes late of one that was matched and is over', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await host.service.expect('call-1001', { metadata: { visit: 1 } });
    await host.play('two-party-call', (one) => is('participant_left')(one) || is('room_finished')(one));
    await host.pass(MINUTE);
    await host.service.expect('call-1001', { metadata: { visit: 2 } });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ metadata: { visit: 1 }, unmatched: null });
    expect((await host.service.expectations()).expectations).toMatchObject([
      { state: 'awaiting', metadata: { visit: 2 } },
    ]);
  });

  test('that was not expected again is unmatched, listed, and told all the same', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await host.service.expect('lobby');
    await host.play('reused-room-name');
    const { sessions } = await host.service.list({ unmatched: true });
    expect(sessions).toMatchObject([{ sessionId: 'lobby', unmatched: 'not_expected' }]);
    expect(await host.service.unmatchedCount()).toBe(1);
    expect(host.eventsOf('session.started')).toHaveLength(2);
  });

  test('says more of itself when it is expected again while it goes on', async () => {
    const host = await hosts.boot();
    await host.service.expect('call-1001', { metadata: { agent: null } });
    await host.play('two-party-call', without('room_finished'));
    await host.service.expect('call-1001', { metadata: { agent: 'ann' } });
    expect(await host.session()).toMatchObject({ state: 'active', metadata: { agent: 'ann' } });
    expect(await host.service.expectations({ state: 'matched' })).toMatchObject({
      expectations: [{ metadata: { agent: 'ann' } }],
    });
  });

  test('that does not come is told as expired, once, and is no longer expected', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true, expectTimeout: 10 * MINUTE } });
    await host.service.expect('call-1001', { metadata: { order: 1 } });
    await host.service.expect('call-1002', { expiresIn: 60 * MINUTE });
    await host.pass(10 * MINUTE - SECOND);
    expect(host.eventsOf('session.expired')).toEqual([]);
    await host.pass(SECOND);
    await host.pass(10 * MINUTE);
    expect(host.eventsOf('session.expired')).toMatchObject([
      { sessionId: 'call-1001', expectation: { state: 'expired', metadata: { order: 1 } } },
    ]);
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ unmatched: 'not_expected' });
  });

  test('that has come is not told as expired, however late its webhooks are made a session', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    const deliveries = host.app.get(Deliveries);
    await host.service.expect('call-1001', { metadata: { order: 1 } });
    await host.service.expect('call-1002');
    await deliveries.pause('sessions'); // as if no worker were there
    await host.play('two-party-call');
    await host.pass(20 * MINUTE);
    expect(host.eventsOf('session.expired')).toEqual([]);
    await deliveries.resume('sessions');
    await host.pass(SECOND);
    expect(await host.session()).toMatchObject({ metadata: { order: 1 }, unmatched: null });
    expect(host.eventsOf('session.expired')).toMatchObject([{ sessionId: 'call-1002' }]);
  });

  test('is not waited for longer than what came in its time is on its way', async () => {
    const host = await hosts.boot();
    await host.service.expect('call-1002', { expiresIn: MINUTE });
    await host.app.get(Deliveries).pause('sessions');
    await host.pass(MINUTE + SECOND);
    await host.play('two-party-call');
    await host.pass(SECOND);
    expect(host.eventsOf('session.expired')).toMatchObject([{ sessionId: 'call-1002' }]);
  });

  test('is not waited for because of events that keep failing', async () => {
    const host = await hosts.boot();
    await host.service.expect('call-1002');
    await host.app.get(Deliveries).pause('sessions');
    await host.play('two-party-call');
    await host.app.get(Deliveries).drain();
    await host.app
      .get(EventStore)
      .write((manager) => manager.query('UPDATE livekit_deliveries SET attempt = 5'));
    await host.pass(20 * MINUTE);
    expect(host.eventsOf('session.expired')).toMatchObject([{ sessionId: 'call-1002' }]);
  });

  test('is pruned before its session, which keeps its id', async () => {
    const retention = { sessions: 60 * MINUTE };
    const host = await hosts.boot({ webhook: { retention }, sessions: { sessionId: () => undefined } });
    await host.service.expect('order-4711', { roomName: 'call-1001', expiresIn: 10 * SECOND });
    await host.service.expect('order-4712', { expiresIn: 10 * SECOND });
    await host.play('two-party-call');
    await host.pass(MINUTE);
    await host.pass(59 * MINUTE - 5 * SECOND);
    const prune = async () => {
      await host.app.get(Retention).prune();
      await host.service.rebuildAll();
      const { expectations } = await host.service.expectations();
      return [(await host.sessions()).map(({ sessionId }) => sessionId), expectations.length];
    };
    expect(await prune()).toEqual([['order-4711'], 0]);
    await host.pass(120 * MINUTE);
    expect(await prune()).toEqual([[], 0]);
  });

  testOnPostgres('is not pruned when it is expected anew at that moment', async () => {
    const host = await hosts.boot({ webhook: { retention: { sessions: 60 * MINUTE } } });
    await host.service.expect('call-1002', { expiresIn: MINUTE });
    await host.pass(120 * MINUTE);
    const expecting = new pg.Client({ connectionString: hosts.url });
    await expecting.connect();
    await expecting.query('BEGIN');
    await expecting.query(
      "UPDATE livekit_expected_sessions SET state = 'awaiting', expires_at = 9000000000000",
    );
    const pruned = host.app.get(Retention).prune();
    await until('the pruning to wait for it', async () => (await lockWaits(hosts.url)) > 0);
    await expecting.query('COMMIT');
    await expecting.end();
    await pruned;
    expect((await host.service.expectations()).expectations).toMatchObject([{ state: 'awaiting' }]);
  });

  test('is kept while its session goes on: a token lets into its room', async () => {
    const host = await hosts.boot({ webhook: { retention: { sessions: 60 * MINUTE } } });
    await host.service.expect('order-4711', { roomName: 'call-1001' });
    await host.play('two-party-call', is('participant_joined'));
    await host.pass(120 * MINUTE);
    await host.app.get(Retention).prune();
    const token = await host.service.createToken('order-4711', { identity: 'ann' });
    const { apiKey, apiSecret } = CAPTURE_KEY;
    const { video } = await new TokenVerifier(apiKey, apiSecret).verify(token);
    expect(video).toMatchObject({ room: 'call-1001' });
  });

  test('can be withdrawn until it has come', async () => {
    const host = await hosts.boot();
    await host.service.expect('call-1001');
    await host.service.withdraw('call-1001');
    expect(await host.service.expectations()).toEqual({ expectations: [], nextCursor: null });
  });

  test('was made, though it is withdrawn before whoever made it is told', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call', is('participant_joined'));
    const expecting = host.service.expect('call-1001', { metadata: { order: 4711 } });
    await host.service.withdraw('call-1001');
    expect(await expecting).toMatchObject({ sessionId: 'call-1001', metadata: { order: 4711 } });
  });

  testOnPostgres('is not matched when it is withdrawn at that moment', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await host.service.expect('order-4711', { roomName: 'call-1001' });
    const withdrawing = new pg.Client({ connectionString: hosts.url });
    await withdrawing.connect();
    await withdrawing.query('BEGIN');
    await withdrawing.query('DELETE FROM livekit_expected_sessions');
    const played = host.play('two-party-call');
    await until('the match to wait for it', async () => (await lockWaits(hosts.url)) > 0);
    await withdrawing.query('COMMIT');
    await withdrawing.end();
    await played;
    expect(await host.session()).toMatchObject({ sessionId: 'call-1001', unmatched: 'not_expected' });
    expect((await host.service.expectations()).expectations).toEqual([]);
  });

  test('is refused in a project that is not there, where nobody would ever come', async () => {
    const host = await hosts.boot();
    for (const project of ['defualt', 'a\0b\ud800', '__proto__']) {
      await expect(host.service.expect('call-1001', { project })).rejects.toThrow(
        /there is no project `.*`: name one of `default`/s,
      );
      expect((await host.service.expectations({ project })).expectations).toEqual([]);
      await host.service.withdraw('call-1001', { project });
    }
  });

  test('is refused when it can not be kept, with the reason', async () => {
    const host = await hosts.boot();
    await expect(host.service.expect('')).rejects.toThrow(/session id.*1 to 512/);
    await expect(host.service.expect('x', { roomName: '' })).rejects.toThrow(/roomName/);
    await expect(host.service.expect('x', { metadata: { a: 'a'.repeat(70_000) } })).rejects.toThrow(
      /at most 65536/,
    );
    // What is kept is their JSON.
    for (const json of ['text', ['a', 'list'], null])
      await expect(host.service.expect('x', { metadata: { toJSON: () => json } })).rejects.toThrow(
        /`metadata` of an expected session is an object/,
      );
    expect((await host.service.expectations()).expectations).toEqual([]);
  });

  test('is listed page by page', async () => {
    const host = await hosts.boot();
    for (const id of ['a', 'b', 'c']) await host.service.expect(id);
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof host.service.expectations>> = await host.service.expectations({
        limit: 2,
        cursor,
      });
      ids.push(...page.expectations.map(({ sessionId }) => sessionId));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(ids).toEqual(['a', 'b', 'c']);
  });
});

describe('a session of which only tracks have been told', () => {
  const hosts = sessionHosts();

  test('has the name of its room as its id', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call', is('track_published'));
    expect(await host.session()).toMatchObject({ sessionId: 'call-1001', unmatched: null });
  });

  test('is not taken for one that was expected', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await host.play('two-party-call', is('track_published'));
    expect(await host.session()).toMatchObject({ sessionId: null, unmatched: null });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ sessionId: 'call-1001', unmatched: 'not_expected' });
  });
});

describe('a session without an id', () => {
  const hosts = sessionHosts();

  test.each([
    ['no_session_id', () => undefined],
    [
      'session_id_failed',
      () => {
        throw new Error('no such order');
      },
    ],
  ])('is unmatched, and told with its cause: %s', async (cause, sessionId) => {
    const host = await hosts.boot({ sessions: { sessionId } });
    await host.play('two-party-call');
    expect(await host.session()).toMatchObject({ sessionId: null, unmatched: cause });
    expect(host.eventsOf('session.ended')).toMatchObject([
      { sessionId: null, session: { unmatched: cause } },
    ]);
    const told = host.logger.of('Sessions').filter((line) => (line as { cause?: string }).cause === cause);
    expect(told).toHaveLength(1);
  });

  test('is told of by nobody before LiveKit has told the room itself', async () => {
    const host = await hosts.boot({ sessions: { sessionId: (room) => room.name } });
    await host.play('two-party-call', is('track_published'));
    expect(host.events).toEqual([]);
    await host.play('two-party-call', is('participant_left', 'caller-1001'));
    expect(host.events.map(({ name }) => name)).toEqual([
      'session.started',
      'session.participant_joined',
      'session.participant_joined',
      'session.participant_left',
    ]);
  });

  test('is renamed when an earlier room object says otherwise, which corrects a settled one', async () => {
    const host = await hosts.boot({ sessions: { sessionId: (room) => room.metadata || undefined } });
    const tell = (event: string, second: number, metadata: string) =>
      host.tester.deliver(
        JSON.stringify({
          event,
          id: `EV_${event}`,
          createdAt: String(1_795_000_000 + second),
          room: { sid: 'RM_1', name: 'call', creationTime: '1795000000', metadata },
        }),
      );
    await tell('room_finished', 9, 'the-later-word');
    await host.pass(MINUTE);
    await host.pass(MINUTE);
    expect(await host.session()).toMatchObject({ state: 'settled', sessionId: 'the-later-word' });
    await tell('room_started', 0, 'the-first-word');
    await host.pass(0);
    expect(await host.session()).toMatchObject({ sessionId: 'the-first-word' });
    expect(host.eventsOf('session.corrected')).toMatchObject([
      { before: { sessionId: 'the-later-word' }, after: { sessionId: 'the-first-word' } },
    ]);
  });
});

import { EventStore } from '../../../src/database/event-store.js';
import { room, send } from '../../support/one-room.js';
import { is, type SessionHost, sessionHosts, without } from '../../support/session-host.js';

const MINUTE = 60_000;

describe('sessions that are rebuilt', () => {
  const hosts = sessionHosts();

  test('are what they were, and nobody is told', async () => {
    const host = await hosts.boot();
    await host.play('twelve-calls-at-once');
    await host.play('recorded-call');
    await host.pass(MINUTE);
    const before = await host.sessions();
    const told = host.events.length;
    const steps: number[] = [];
    const counts = await host.service.rebuildAll({ onProgress: ({ rooms }) => steps.push(rooms) });
    await host.pass(0);
    expect(counts).toEqual({ rooms: 13, fromFacts: 0, changed: 0 });
    expect(steps).toEqual([13]);
    expect(await host.sessions()).toEqual(before);
    expect(host.events).toHaveLength(told);
  });

  test('have what the options now say, which corrects those that have settled', async () => {
    const host = await hosts.boot();
    await host.play('unusual-names');
    await host.pass(MINUTE);
    expect(await host.session()).toMatchObject({ participants: [{ attributes: {} }] });
    const { clock } = host.tester;
    await hosts.stop(host);
    const again = await hosts.boot({ clock, sessions: { attributes: ['näme'] } });
    const { roomSid } = await again.session();
    expect(await again.service.rebuild(roomSid)).toEqual([
      { project: 'default', roomSid, from: 'events', changed: 1 },
    ]);
    await again.pass(0);
    expect(await again.session()).toMatchObject({ participants: [{ attributes: { näme: 'wert' } }] });
    expect(again.eventsOf('session.corrected')).toHaveLength(1);
  });

  test('have what was routed in front of what was read, before their room was held', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    const before = await host.session();
    const store = host.app.get(EventStore);
    const setRouted = (routed: boolean) =>
      store.write((manager) =>
        manager.query(`UPDATE livekit_events SET routed = ${routed} WHERE name <> 'room_finished'`),
      );
    await setRouted(false);
    const { read } = store;
    store.read = async (query) => {
      const result = await read.call(store, query);
      if (JSON.stringify(result).includes('"body"')) await setRouted(true);
      return result as never;
    };
    await host.service.rebuildAll();
    expect(await host.session()).toEqual(before);
  });

  test('lose what is no longer a fact', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    await corrupt(host);
    expect((await host.session()).participants).toHaveLength(3);
    await host.service.rebuild('call-1001');
    expect((await host.session()).participants).toHaveLength(2);
  });

  test('leave what is awaited to who comes under that name next', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await host.service.expect('lobby', { metadata: { visit: 1 } });
    for (const sid of ['RM_1', 'RM_0']) {
      await send(host, 'room_started', { room: room(sid) });
      await send(host, 'room_finished', { room: room(sid) });
    }
    await host.pass(60 * MINUTE);
    await host.service.expect('lobby', { metadata: { visit: 2 } });
    await host.service.rebuildAll();
    await host.pass(0);
    expect(await host.service.expectations()).toMatchObject({ expectations: [{ state: 'awaiting' }] });
    expect(host.eventsOf('session.corrected')).toEqual([]);
  });

  test('keep the word of the backend', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true, sessionId: () => undefined } });
    await host.service.expect('order-1', { roomName: 'call-1001', metadata: { a: 1 } });
    await host.play('two-party-call');
    await host.service.setDisposition('order-1', 'transferred');
    const before = await host.session();
    await host.service.rebuildAll();
    expect(await host.session()).toEqual(before);
    expect(before).toMatchObject({ sessionId: 'order-1', metadata: { a: 1 }, disposition: 'transferred' });
  });

  test('keep the id that an expectation gave, though the next session is expected by that id', async () => {
    const host = await hosts.boot();
    await host.service.expect('order-1', { roomName: 'call-1001', metadata: { call: 1 } });
    await host.play('two-party-call');
    await host.pass(MINUTE);
    const before = await host.session();
    await host.service.expect('order-1', { roomName: 'call-back', metadata: { call: 2 } });
    expect(await host.service.rebuildAll()).toMatchObject({ changed: 0 });
    expect(await host.session()).toEqual(before);
    expect(before).toMatchObject({ sessionId: 'order-1', metadata: { call: 1 } });
    expect(await host.service.expectations()).toMatchObject({ expectations: [{ state: 'awaiting' }] });
  });

  test('are made of their facts where bytes of their events are gone', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    await host.play('room-deleted');
    const before = await host.sessions();
    await write(
      host,
      "DELETE FROM livekit_bodies WHERE event_seq IN (SELECT seq FROM livekit_events WHERE room_name = 'call-1001' AND name = 'participant_joined')",
    );
    expect(await host.service.rebuildAll()).toEqual({ rooms: 2, fromFacts: 1, changed: 0 });
    expect(await host.sessions()).toEqual(before);
  });

  test('are made of their facts where their events may have been pruned', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call');
    const before = await host.session();
    await write(host, 'DELETE FROM livekit_events');
    await write(
      host,
      `INSERT INTO livekit_floors (source, occurred_at) VALUES ('default', ${Date.parse(before.endedAt as string)})`,
    );
    expect(await host.service.rebuild('call-1001')).toMatchObject([{ from: 'facts', changed: 0 }]);
    expect(await host.session()).toEqual(before);
  });

  test('have the inferred ends that were told before', async () => {
    const host = await hosts.boot();
    await host.play('two-party-call', without('room_finished'));
    await host.pass(10 * MINUTE);
    await host.pass(MINUTE);
    const before = await host.session();
    expect(before).toMatchObject({ state: 'settled', inferred: ['endedAt', 'disposition'] });
    await host.service.rebuildAll();
    expect(await host.session()).toEqual(before);
    await host.play('two-party-call', is('room_finished'));
    await host.service.rebuildAll();
    expect(await host.session()).toMatchObject({ inferred: [] });
  });

  test('end when they are told to', async () => {
    const host = await hosts.boot();
    await host.play('twelve-calls-at-once');
    expect(await host.service.rebuildAll({ signal: AbortSignal.abort() })).toMatchObject({ rooms: 0 });
  });
});

const write = (host: SessionHost, statement: string): Promise<unknown> =>
  host.app.get(EventStore).write((manager) => manager.query(statement));

const corrupt = (host: SessionHost): Promise<unknown> =>
  write(
    host,
    `INSERT INTO livekit_connections (source, room_sid, participant_sid, identity, connected, joined_at)
     VALUES ('default', 'RM_ZP36R4UfruiF', 'PA_nobody', 'nobody', true, 1795423728435)`,
  );

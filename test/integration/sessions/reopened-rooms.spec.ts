import { OPENED, participant, send } from '../../support/one-room.js';
import { type SessionHost, sessionHosts } from '../../support/session-host.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe('a room that is opened again under its sid', () => {
  const hosts = sessionHosts();

  const told = async ({ service }: SessionHost) =>
    (await service.list()).sessions.map(({ segment, sessionId, metadata }) => [segment, sessionId, metadata]);

  const callOnce = async (host: SessionHost): Promise<void> => {
    await send(host, 'room_started');
    await send(host, 'participant_joined', { participant: participant('PA_1', OPENED) });
    await host.pass(20 * SECOND);
    await send(host, 'room_finished');
  };

  const comeAgain = async (host: SessionHost): Promise<void> => {
    const now = host.tester.clock.now();
    await send(host, 'participant_joined', { participant: participant('PA_2', now) });
  };

  test('has another session, which is not what was matched with the first', async () => {
    const host = await hosts.boot({ sessions: { sessionId: () => undefined } });
    await host.service.expect('order-1', { roomName: 'lobby', metadata: { order: 1 } });
    await callOnce(host);
    await host.pass(5 * SECOND);
    await host.service.expect('order-2', { roomName: 'lobby', metadata: { order: 2 } });
    await comeAgain(host);
    expect(await told(host)).toEqual([
      [1, 'order-2', { order: 2 }],
      [0, 'order-1', { order: 1 }],
    ]);
  });

  test('is expected as the session that goes on: the one before stays what it was', async () => {
    const host = await hosts.boot();
    await callOnce(host);
    await host.pass(40 * SECOND);
    await comeAgain(host);
    await host.service.expect('order-2', { roomName: 'lobby', metadata: { order: 2 } });
    await host.pass(0);
    expect(await told(host)).toEqual([
      [1, 'order-2', { order: 2 }],
      [0, 'lobby', {}],
    ]);
    expect(host.eventsOf('session.corrected')).toMatchObject([
      { before: { segment: 1 }, after: { sessionId: 'order-2' } },
    ]);
  });

  test('is expected by the id of the one before, unless it goes on as another that was expected', async () => {
    const host = await hosts.boot();
    const expectIt = (order: string, call: number) =>
      host.service.expect(order, { roomName: 'lobby', metadata: { call } });
    await expectIt('order-1', 1);
    await callOnce(host);
    await host.pass(40 * SECOND);
    await comeAgain(host);
    await host.pass(0);
    expect(await expectIt('order-1', 2)).toMatchObject({ state: 'matched' });
    expect(await expectIt('order-2', 3)).toMatchObject({ state: 'awaiting' });
    expect(await told(host)).toEqual([
      [1, 'order-1', { call: 2 }],
      [0, 'order-1', { call: 1 }],
    ]);
    await send(host, 'room_finished');
    await host.pass(40 * SECOND);
    await send(host, 'participant_joined', { participant: participant('PA_3', host.tester.clock.now()) });
    await host.pass(0);
    expect(await expectIt('order-1', 4)).toMatchObject({ state: 'awaiting' });
    expect(await told(host)).toMatchObject([
      [2, 'order-2', { call: 3 }],
      [1, 'order-1', { call: 2 }],
      [0, 'order-1', { call: 1 }],
    ]);
  });

  test('is expected while it goes on, though the one before was expected by the same id', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await host.service.expect('lobby', { metadata: { order: 1 } });
    await callOnce(host);
    await host.pass(40 * SECOND);
    await comeAgain(host);
    await host.pass(0);
    await host.service.expect('lobby', { metadata: { order: 2 } });
    const sessions = await host.sessions();
    expect(sessions.map(({ segment, unmatched, metadata }) => [segment, unmatched, metadata])).toEqual([
      [1, null, { order: 2 }],
      [0, null, { order: 1 }],
    ]);
  });

  test('is expected after one that nobody expected, which stays unmatched', async () => {
    const host = await hosts.boot({ sessions: { requireExpected: true } });
    await callOnce(host);
    await host.pass(30 * MINUTE);
    await host.service.expect('lobby', { metadata: { order: 2 } });
    await comeAgain(host);
    await send(host, 'participant_left', { participant: participant('PA_2', host.tester.clock.now()) });
    const sessions = await host.sessions();
    expect(sessions.map(({ segment, unmatched, metadata }) => [segment, unmatched, metadata])).toEqual([
      [1, null, { order: 2 }],
      [0, 'not_expected', {}],
    ]);
  });

  test('has nobody present who was there before, though their leave was lost', async () => {
    const host = await hosts.boot();
    await callOnce(host);
    await host.pass(MINUTE);
    await comeAgain(host);
    expect((await host.sessions()).map(({ activeParticipants }) => activeParticipants)).toEqual([1, 0]);
    expect(await host.service.activeParticipants()).toEqual({ standard: 1, agent: 0, sip: 0 });
  });

  test('is not taken for closed where LiveKit is asked, though the session before it settles', async () => {
    const host = await hosts.boot({
      sessions: { livekitUrl: 'http://127.0.0.1:1', reconcileInterval: 86_400_000, settle: 20 * MINUTE },
    });
    await callOnce(host);
    await host.pass(5 * SECOND);
    await comeAgain(host);
    await send(host, 'participant_left', { participant: participant('PA_2', host.tester.clock.now()) });
    await host.pass(30 * MINUTE);
    expect((await host.sessions()).map(({ segment, state }) => [segment, state])).toEqual([
      [1, 'active'],
      [0, 'settled'],
    ]);
  });
});

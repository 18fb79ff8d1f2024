import { OPENED, participant, send } from '../../support/one-room.js';
import { sessionHosts } from '../../support/session-host.js';

describe('options whose functions are async', () => {
  const hosts = sessionHosts();

  test.each([
    ['resolve', () => Promise.resolve('x')],
    ['reject', () => Promise.reject(new Error('no such order'))],
  ])('and %s are said to be wrong, and end nothing', async (_, option) => {
    const give = option as unknown as () => string;
    const host = await hosts.boot({ sessions: { sessionId: give, disposition: give } });
    await send(host, 'room_started');
    await send(host, 'participant_joined', { participant: participant('PA_1', OPENED) });
    await host.pass(5_000);
    await send(host, 'room_finished');
    expect(await host.session()).toMatchObject({
      sessionId: null,
      unmatched: 'session_id_failed',
      disposition: 'abandoned',
      dispositionSource: 'rules',
    });
    expect(host.logger.of('Sessions')).toContainEqual(
      expect.objectContaining({ errorMessage: expect.stringContaining('leave out `async`') }),
    );
  });
});

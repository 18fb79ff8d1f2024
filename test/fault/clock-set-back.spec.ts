import { webhookBody } from '../../src/testing/webhook-body.js';
import { applicationDatabase } from '../support/application-database.js';
import { ApplicationProcess } from '../support/application-process.js';
import { LivekitStandIn } from '../support/livekit-stand-in.js';
import { testOnSqlite } from '../support/only-on.js';
import { mintToken, TEST_KEY } from '../support/signing.js';
import { until } from '../support/until.js';
import { sessionsOf } from './audit.js';

const HOUR = 3_600_000;

/** A machine whose clock is an hour ahead, until it is told `resume`. */
const AHEAD = { CLOCK_SHIFT: String(HOUR), NODE_OPTIONS: '--import ./test/fault/shifted-clock.mjs' };

const database = applicationDatabase();
let application: ApplicationProcess;

/** Sends a webhook as a LiveKit of that time would. @returns the status of the answer. */
async function send(
  event: 'room_started' | 'participant_joined' | 'room_finished',
  name: string,
  now: number,
) {
  const body = webhookBody({ event, room: { name } }, { now: () => now });
  const { status } = await fetch(`${application.url}/voice/livekit/webhooks`, {
    method: 'POST',
    headers: { authorization: mintToken(body, now) },
    body,
  });
  return status;
}

/** Sends the webhooks of a call that begins and ends. */
async function hold(name: string, now: number): Promise<void> {
  for (const event of ['participant_joined', 'room_finished'] as const)
    expect(await send(event, name, now)).toBe(200);
}

/** Sets the clock right, which its process does in its own time. */
async function setRight(): Promise<void> {
  application.resume();
  await until('the clock to be right', async () => (await send('room_started', 'now', Date.now())) === 200);
}

const isSettled = async (name: string): Promise<boolean> =>
  (await sessionsOf(application)).some(({ sessionId, state }) => sessionId === name && state === 'settled');

describe('when a clock that was an hour ahead is set back', () => {
  testOnSqlite(
    'sessions settle in time',
    async () => {
      application = await ApplicationProcess.start(database.url, { ...AHEAD, SESSION_SETTLE: '1s' });
      await hold('ahead', Date.now() + HOUR);
      await until('it to settle', () => isSettled('ahead'));
      await setRight();
      await hold('put-right', Date.now());
      await until('it to settle', () => isSettled('put-right'));
    },
    90_000,
  );

  test('LiveKit goes on being asked', async () => {
    const livekit = await LivekitStandIn.start(TEST_KEY);
    try {
      const env = { ...AHEAD, LIVEKIT_URL: livekit.url, RECONCILE_INTERVAL: '1s' };
      application = await ApplicationProcess.start(database.url, env);
      await until('rounds', () => livekit.count('ListRooms') >= 2);
      await setRight();
      const { length } = livekit.calls;
      await until('more rounds', () => livekit.calls.length >= length + 2);
    } finally {
      await livekit.stop();
    }
  }, 90_000);
});

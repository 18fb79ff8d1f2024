// Real clients call one another through a LiveKit server, and sessions are compared with what they did.
// `npm run test:livekit`; what it must be told of the server stands in livekit-server.ts, and besides:
//   TEST_LIVEKIT_OUTAGE    seconds for which the application is away, 60 unless told
//   TEST_DATABASE          `postgres`: on PostgreSQL, as in `npm run test:services`
import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';
import { until } from '../support/until.js';
import { Call } from './call.js';
import { disposeClients } from './client.js';
import { SERVER, WEBHOOK_PORT } from './livekit-server.js';
import { agreed, sessionsOf } from './told-sessions.js';
import { disagreements, infers } from './truth.js';
import { type Webhook, WebhookGate } from './webhook-gate.js';

let database: FreshDatabase;
let application: ApplicationProcess;

const start = async (env: Record<string, string> = {}): Promise<void> => {
  application = await ApplicationProcess.start(database.url, { ...SERVER, PORT: WEBHOOK_PORT, ...env });
};

beforeAll(buildApplication, 120_000);

beforeEach(async () => {
  database = await freshDatabase();
});

afterEach(async () => {
  await Call.endAll();
  await killApplications();
  await database.drop();
}, 60_000);

afterAll(disposeClients);

test('a call of two is told while it goes on, and when it is over', async () => {
  await start();
  const call = await Call.begin('two-party');
  await agreed(application, call);
  await call.leave('caller');
  await agreed(application, call);
  await call.end();
  expect((await agreed(application, call)).inferred).toEqual([]);
}, 60_000);

describe('while the application is away', () => {
  const OUTAGE = Number(process.env['TEST_LIVEKIT_OUTAGE'] ?? 60) * 1_000;
  /** What LiveKit could not send it gives up within this time, in milliseconds. */
  const LIVEKIT_GIVES_UP = 50_000;
  const REPAIR = 60_000;

  test('calls end, change, begin and pass: what can be known of them is known soon after', async () => {
    if (!(OUTAGE >= LIVEKIT_GIVES_UP)) throw new Error('TEST_LIVEKIT_OUTAGE must be 50 or more');
    await start();
    const [ends, changes] = await Promise.all([Call.begin('ends'), Call.begin('changes')]);
    await agreed(application, ends);
    await agreed(application, changes);

    await application.stop();
    const stopped = Date.now();
    const [begins, passes] = await Promise.all([Call.begin('begins'), Call.begin('passes')]);
    await Promise.all([ends.end(), changes.leave('caller').then(() => changes.join('expert')), passes.end()]);
    await until('the outage to be over', () => Date.now() > stopped + OUTAGE, OUTAGE);

    await start();
    const returned = Date.now();
    const agreedInTime = (call: Call) => agreed(application, call, returned + REPAIR - Date.now());
    const ended = await agreedInTime(ends);
    expect([infers(ended, /left/i), infers(ended, /ended/i)]).toEqual([true, true]);
    expect(infers(await agreedInTime(changes), /left/i)).toBe(true);
    await agreedInTime(begins);
    for (const session of await sessionsOf(application, passes)) {
      expect(disagreements(session, passes)).toEqual([]);
    }

    await Promise.all([begins.end(), changes.end()]);
    await agreed(application, begins);
    await agreed(application, changes);
  }, 240_000);
});

describe('when LiveKit loses webhooks', () => {
  const named =
    (event: Webhook['event'], identity?: string) =>
    (webhook: Webhook): boolean =>
      webhook.event === event && (identity === undefined || webhook.participant?.identity === identity);

  let gate: WebhookGate;

  beforeEach(async () => {
    await start({ PORT: '0', RECONCILE_INTERVAL: '2s' });
    gate = await WebhookGate.before(application.url, Number(WEBHOOK_PORT));
  });

  afterEach(() => gate.close());

  test.each([
    { what: 'a join', loses: named('participant_joined', 'caller') },
    { what: 'the leave of one of two', loses: named('participant_left', 'caller'), infers: /left/i },
    { what: 'the last leave', loses: named('participant_left', 'agent'), infers: /left/i },
    { what: 'the end of the room', loses: named('room_finished'), infers: /ended/i },
    { what: 'all of them', loses: () => true, infers: /ended/i },
  ])(
    '$what is found in the end',
    async ({ loses, infers: inferred }) => {
      gate.lose(loses);
      const call = await Call.begin('lost', 'standard');
      await agreed(application, call, 30_000);
      await call.leave('caller');
      await agreed(application, call, 30_000);
      await call.end();
      const session = await agreed(application, call, 30_000);
      expect(gate.lost).not.toEqual([]);
      if (inferred) expect(infers(session, inferred)).toBe(true);
    },
    180_000,
  );
});

import {
  ADMIN_TOKEN,
  ApplicationProcess,
  buildApplication,
  killApplications,
} from '../support/application-process.js';
import { Collector } from '../support/collector.js';
import { emptyDatabase, type FreshDatabase, onPostgres, sqlQuery } from '../support/database.js';
import { LivekitStandIn } from '../support/livekit-stand-in.js';
import { OutletReceiver } from '../support/outlet-receiver.js';
import { leaksIn, type Secrets } from '../support/planted.js';
import { hmacOf, mintToken, TEST_KEY } from '../support/signing.js';
import { until } from '../support/until.js';
import { newId, webhook } from '../support/webhook.js';

const METRICS_TOKEN = 'a-metrics-token-that-is-planted';

/** What stands in webhooks, in the configuration and in answers of others, and must not come out again. */
const PLANTED = {
  turnPassword: 'planted-turn-password',
  attribute: 'planted-attribute-value',
  roomMetadata: 'planted-room-metadata',
  participantMetadata: 'planted-participant-metadata',
  participantName: 'Planted Person',
  caller: '+15105550142',
  called: '+15105550187',
  inBrokenJson: 'planted-in-broken-json',
  inQuery: 'planted-in-the-query',
  asked: 'planted-identity-that-is-asked-for',
  databasePassword: 'planted/database/password',
  redisPassword: 'planted/redis/password',
  natsPassword: 'planted/nats/password',
  outletUrl: 'planted-outlet-capability',
  fromLivekit: 'planted-by-livekit',
  fromReceiver: 'planted-by-the-receiver',
} satisfies Secrets;

/** LiveKit's own dispatch rules make such a room for each caller. */
const ROOM = { sid: 'RM_planted', name: `call-_${PLANTED.caller}_Xy12` };

const planted = (fields: Record<string, unknown> = {}): string =>
  webhook({
    createdAt: Math.floor(Date.now() / 1_000),
    room: { ...ROOM, turnPassword: PLANTED.turnPassword, metadata: PLANTED.roomMetadata },
    participant: {
      sid: 'PA_planted',
      identity: `sip_${PLANTED.caller}`,
      name: PLANTED.participantName,
      kind: 'SIP',
      metadata: PLANTED.participantMetadata,
      attributes: {
        'sip.phoneNumber': PLANTED.caller,
        'sip.trunkPhoneNumber': PLANTED.called,
        loyalty: PLANTED.attribute,
      },
    },
    ...fields,
  });

describe.each(['json', 'pretty'])(
  'what the application tells of itself, with a log that is %s,',
  (format) => {
    let database: FreshDatabase;
    let collector: Collector;
    let receiver: OutletReceiver;
    let standIn: LivekitStandIn;
    let application: ApplicationProcess;
    const tokens: string[] = [];
    const answers: string[] = [];

    beforeAll(buildApplication, 120_000);

    beforeEach(async () => {
      database = await emptyDatabase();
      collector = await Collector.listen();
      receiver = await OutletReceiver.listen();
      standIn = await LivekitStandIn.start(TEST_KEY);
      standIn.troubles.set('ListRooms', { status: 500, code: 'internal', msg: `no: ${PLANTED.fromLivekit}` });
      receiver.answer = (_, response) =>
        void response.writeHead(500, { 'x-why': PLANTED.fromReceiver }).end(PLANTED.fromReceiver);
      application = await ApplicationProcess.start(withPassword(database.url), {
        ...collector.env,
        LOG_FORMAT: format,
        LOG_LEVEL: 'verbose',
        METRICS_TOKEN,
        LIVEKIT_WEBHOOK_BODY_LIMIT: '64kb',
        LIVEKIT_URL: standIn.url,
        RECONCILE_INTERVAL: '1s',
        OUTLET_EVENTS: 'livekit.*,session.*',
        OUTLET_WEBHOOK_URL: `${receiver.url}?key=${PLANTED.outletUrl}`,
        OUTLET_WEBHOOK_SECRET: receiver.secret,
        OUTLET_WEBHOOK_ALLOW: '127.0.0.0/8',
        OUTLET_REDIS_URL: `redis://:${encodeURIComponent(PLANTED.redisPassword)}@127.0.0.1:1`,
        OUTLET_JETSTREAM_URL: `nats://voice:${encodeURIComponent(PLANTED.natsPassword)}@127.0.0.1:1`,
      });
    });

    afterEach(async () => {
      await killApplications();
      await standIn.stop();
      await receiver.close();
      await collector.close();
      await database.drop();
    });

    /** Sends a request, and keeps what is answered. */
    async function ask(path: string, init: RequestInit = {}): Promise<number> {
      const response = await fetch(application.url + path, init);
      answers.push(`${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`);
      return response.status;
    }

    const deliver = (body: string, headers: Record<string, string> = {}, query = ''): Promise<number> => {
      const authorization = headers['authorization'] ?? mintToken(body, Date.now());
      tokens.push(authorization, headers['x-livekit-signature'] ?? authorization);
      return ask(`/voice/livekit/webhooks${query}`, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/webhook+json',
          ...('x-livekit-signature' in headers ? {} : { authorization }),
          ...headers,
        },
      });
    };

    test('holds no secret, no token and nothing that is somebody’s', async () => {
      const id = newId();
      const joined = planted({ id });
      expect(await deliver(planted({ event: 'room_started', participant: undefined }))).toBe(200);
      expect(await deliver(joined, {}, `?key=${PLANTED.inQuery}`)).toBe(200);
      expect(await deliver(joined)).toBe(200);
      expect(await deliver(planted({ id, event: 'participant_left' }))).toBe(200); // a conflict
      expect(await deliver(planted({ event: 'moon_landed' }))).toBe(200);
      expect(await deliver(`{"event":"${PLANTED.inBrokenJson}`)).toBe(400);
      expect(await deliver(planted({ room: { sid: { odd: PLANTED.attribute } } }))).toBe(400);
      expect(
        await deliver(joined, { authorization: mintToken(joined, Date.now(), { secret: 'another' }) }),
      ).toBe(401);
      expect(await deliver(joined, { authorization: `Bearer ${PLANTED.inQuery}` })).toBe(401);
      expect(await deliver(joined, { authorization: mintToken(planted(), Date.now()) })).toBe(401);
      expect(await deliver(joined, { 'x-livekit-signature': hmacOf('another') })).toBe(401);
      expect(await deliver(planted(), { 'content-encoding': 'gzip' })).toBe(415);
      expect(await deliver(planted({ padding: 'x'.repeat(70_000) }))).toBe(413);
      expect(
        await ask(`/voice/livekit/webhooks?key=${PLANTED.inQuery}`, { method: 'PUT', body: joined }),
      ).toBe(405);
      expect(await deliver(planted({ event: 'room_finished', participant: undefined }))).toBe(200);

      await until('every outlet to be down', async () =>
        ['webhook', 'redis', 'jetstream'].every((name) =>
          new RegExp(`outlet"?[=:]"?${name}`).test(application.log),
        ),
      );
      await until('LiveKit to have failed', () => application.log.includes('is not reconciled with LiveKit'));
      expect(await ask('/health')).toBe(503);
      expect(await ask('/health/ready')).toBe(200);
      expect(await ask('/metrics')).toBe(401);
      expect(await ask('/metrics', { headers: { authorization: `Bearer ${METRICS_TOKEN}` } })).toBe(200);
      expect(await ask('/voice/sessions', { headers: { authorization: `Bearer ${PLANTED.inQuery}` } })).toBe(
        401,
      );

      // Whoever may see sessions sees who called: that is what they are for.
      const { json } = await application.get('/voice/sessions');
      expect(JSON.stringify(json)).toContain(PLANTED.caller);
      expect(JSON.stringify(json)).not.toContain(PLANTED.turnPassword);

      await sqlQuery(database.url, 'DROP TABLE livekit_bodies');
      expect(await deliver(planted())).toBe(503);
      expect(await ask('/health')).toBe(503);
      await sqlQuery(database.url, 'DROP TABLE livekit_sessions');
      const who = `identity=${PLANTED.asked}&number=${encodeURIComponent(PLANTED.caller)}`;
      const admin = { authorization: `Bearer ${ADMIN_TOKEN}` };
      expect(await ask(`/voice/sessions?${who}`, { headers: admin })).toBe(500);
      await until('the spans', () => collector.spans.some(({ name }) => name === 'process outlet.webhook'));

      expect(receiver.received[0]?.body).toContain(ROOM.name);
      await application.stop();

      const places = {
        'the log': application.log,
        'the spans': collector.bodies.join('\n'),
        'an answer': answers.join('\n'),
      };
      for (const told of ['store_failed', 'unauthorized', 'invalid', 'too_large', 'retry']) {
        expect(places['the log']).toContain(told);
      }
      const secrets: Secrets = {
        ...PLANTED,
        apiSecret: TEST_KEY.apiSecret,
        ADMIN_TOKEN,
        METRICS_TOKEN,
        outletSecret: receiver.secret,
        ...Object.fromEntries(tokens.map((token, nth) => [`token ${nth}`, token])),
      };
      expect(leaksIn(places, secrets)).toEqual([]);
      expect(Object.values(places).join('\n')).not.toMatch(/eyJ[\w-]{8,}/); // how every JWT begins
    });
  },
);

test('what the application says when it can not start holds no password', async () => {
  const nowhere = `postgres://voice:${encodeURIComponent(PLANTED.databasePassword)}@127.0.0.1:1/voice`;
  const application = ApplicationProcess.launch(nowhere);
  expect(await application.exited).toEqual({ code: 1, signal: null });
  expect(application.log).toContain('ECONNREFUSED');
  expect(leaksIn({ 'the log': application.log }, { ...PLANTED, apiSecret: TEST_KEY.apiSecret })).toEqual([]);
});

/** The same database, which is opened with a password as well as without. */
function withPassword(url: string): string {
  if (!onPostgres) return url;
  const address = new URL(url);
  address.password = encodeURIComponent(PLANTED.databasePassword);
  return address.href;
}

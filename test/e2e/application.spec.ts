import type { INestApplication } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { request } from 'node:https';
import { promisify } from 'node:util';
import { createApplication } from '../../src/application/application.js';
import { readEnvironment } from '../../src/config/environment.js';
import type { Session } from '../../src/sessions/session.js';
import { signWebhook } from '../../src/testing/sign-webhook.js';
import { deliveries } from '../support/captures.js';
import { type FreshDatabase, emptyDatabase } from '../support/database.js';
import { LivekitStandIn } from '../support/livekit-stand-in.js';
import { answering, OutletReceiver } from '../support/outlet-receiver.js';
import { RawConnection } from '../support/raw-http.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { until } from '../support/until.js';

const KEY = 'APIe2e';
const SECRET = 'an-end-to-end-secret-of-some-length';
const ADMIN_TOKEN = 'an-admin-token-for-tests';
const METRICS_TOKEN = 'a-metrics-token-for-tests';

describe.each(['express', 'fastify'])('the application on %s', (adapter) => {
  let database: FreshDatabase;
  let app: INestApplication;
  let url: string;
  let logger: RecordingLogger;

  const boot = async (env: Record<string, string> = {}): Promise<void> => {
    const environment = readEnvironment({
      LIVEKIT_API_KEY: KEY,
      LIVEKIT_API_SECRET: SECRET,
      ADMIN_TOKEN,
      DATABASE_URL: database.url,
      HTTP_ADAPTER: adapter,
      ...env,
    });
    logger = new RecordingLogger();
    app = await createApplication(environment, logger);
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  };

  const post = async (body: string, apiSecret = SECRET): Promise<number> => {
    const headers = signWebhook(body, { apiKey: KEY, apiSecret });
    const { status } = await fetch(`${url}/voice/livekit/webhooks`, { method: 'POST', headers, body });
    return status;
  };

  const get = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url + path, { headers });
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      text: await response.text(),
    };
  };

  beforeEach(async () => {
    database = await emptyDatabase();
  });

  afterEach(async () => {
    await app.close();
    await database.drop();
  });

  test('takes a real call in, and tells its session', async () => {
    await boot();
    for (const { body } of deliveries('two-party-call')) expect(await post(body)).toBe(200);
    const session = await until('the session to end', async () => {
      const { text } = await get('/voice/sessions/call-1001', { authorization: `Bearer ${ADMIN_TOKEN}` });
      const { sessions = [] } = JSON.parse(text) as { sessions?: Session[] };
      return sessions.find(({ state }) => state === 'ended');
    });
    expect(session).toMatchObject({
      roomSid: 'RM_ZP36R4UfruiF',
      durationSeconds: 5.565,
      peakParticipants: 2,
    });
  });

  test('takes a session id that is as long as a room may be called', async () => {
    await boot();
    for (const id of ['n'.repeat(512), '\u{1F399}'.repeat(256)]) {
      const path = `/voice/sessions/${encodeURIComponent(id)}`;
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
      expect((await fetch(`${url}${path}/expectation`, { method: 'PUT', headers })).status).toBe(200);
      expect((await get(path, headers)).status).toBe(404);
    }
  });

  test('logs no error of its own when a request is cut off', async () => {
    await boot();
    const connection = await RawConnection.open(url);
    connection
      .head({
        method: 'PUT',
        path: '/voice/sessions/call-1/expectation',
        headers: {
          Authorization: `Bearer ${ADMIN_TOKEN}`,
          'Content-Type': 'application/json',
          'Content-Length': '100',
          Expect: '100-continue',
        },
      })
      .write('{"metadata":');
    await connection.continued();
    connection.cut();
    const server = app.getHttpServer() as Server;
    const connections = promisify(server.getConnections.bind(server));
    await until('the connection to be gone', async () => (await connections()) === 0);
    expect((await get('/health/live')).status).toBe(200);
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('asks LiveKit what its webhooks have missed', async () => {
    const standIn = await LivekitStandIn.start({ apiKey: KEY, apiSecret: SECRET });
    const since = Date.now() - 60_000;
    const times = { creationTime: String(Math.floor(since / 1_000)), creationTimeMs: String(since) };
    standIn.rooms.set('call-1', { sid: 'RM_1', name: 'call-1', ...times });
    standIn.participants.set('call-1', [
      { sid: 'PA_1', identity: 'caller', state: 'ACTIVE', joinedAtMs: String(since) },
    ]);
    await boot({ LIVEKIT_URL: standIn.url.replace('http', 'ws'), RECONCILE_INTERVAL: '1s' });
    const session = await until('the caller to be in a session', async () => {
      const { text } = await get('/voice/sessions/call-1', { authorization: `Bearer ${ADMIN_TOKEN}` });
      const { sessions = [] } = JSON.parse(text) as { sessions?: Session[] };
      return sessions.find(({ activeParticipants }) => activeParticipants === 1);
    });
    expect(session).toMatchObject({ sessionId: 'call-1', firstJoinedAt: new Date(since).toISOString() });
    expect((await get('/metrics')).text).toContain(
      'livekit_reconciliation_repairs_total{project="default",fact="participant_joined"} 1',
    );
    await standIn.stop();
  });

  test('publishes what it is told to', async () => {
    const receiver = await OutletReceiver.listen();
    await boot({
      OUTLET_WEBHOOK_URL: receiver.url,
      OUTLET_WEBHOOK_SECRET: receiver.secret,
      OUTLET_WEBHOOK_ALLOW: '127.0.0.0/8',
      OUTLET_EVENTS: 'session.started',
    });
    for (const { body } of deliveries('two-party-call')) expect(await post(body)).toBe(200);
    await until('an event to be published', () => receiver.received.length > 0);
    expect(receiver.events()).toMatchObject([{ type: 'session.started', subject: 'call-1001' }]);
    await receiver.close();
  });

  test('tells its health', async () => {
    await boot();
    for (const path of ['/health', '/health/live', '/health/ready']) {
      const { status, text } = await get(path);
      expect([status, JSON.parse(text).status]).toEqual([200, 'ok']);
    }
    expect(JSON.parse((await get('/health/ready')).text).info).toHaveProperty('event_store.status', 'up');
  });

  test('tells of dead letters, of a LiveKit that refuses its key and of silent webhooks, and is ready all the same', async () => {
    const standIn = await LivekitStandIn.start({ apiKey: KEY, apiSecret: 'a-secret-of-livekit-alone' });
    const receiver = await OutletReceiver.listen();
    receiver.answer = answering(410);
    await boot({
      LIVEKIT_URL: standIn.url,
      OUTLET_WEBHOOK_URL: receiver.url,
      OUTLET_WEBHOOK_SECRET: receiver.secret,
      OUTLET_WEBHOOK_ALLOW: '127.0.0.0/8',
      OUTLET_EVENTS: 'session.started',
    });
    for (const { body } of deliveries('two-party-call')) expect(await post(body)).toBe(200);
    const text = await until('the event to be a dead letter', async () => {
      const health = await get('/health');
      return JSON.parse(health.text).details.deliveries.status === 'down' ? health.text : undefined;
    });
    expect(JSON.parse(text).error).toMatchObject({
      deliveries: { deadLetters: 1, message: expect.stringContaining('`outlet.webhook`') },
      livekit: { projects: { default: { status: 'down', message: expect.stringContaining('(401)') } } },
    });
    for (const secret of [SECRET, receiver.secret, ADMIN_TOKEN, 'eyJ']) expect(text).not.toContain(secret);
    for (const path of ['/health/live', '/health/ready']) expect((await get(path)).status).toBe(200);
    await app.close();
    await standIn.stop();

    const livekit = await LivekitStandIn.start({ apiKey: KEY, apiSecret: SECRET });
    livekit.rooms.set('call', { sid: 'RM_1', name: 'call', numParticipants: 1 });
    await boot({ LIVEKIT_URL: livekit.url, HEALTH_DEAD_LETTERS: '1', HEALTH_WEBHOOK_SILENCE: '1s' });
    const silent = await until('the silence to be too long', async () => {
      const health = await get('/health');
      return health.status === 503 ? health.text : undefined;
    });
    expect(Object.keys(JSON.parse(silent).error)).toEqual(['webhooks']);
    for (const path of ['/health/live', '/health/ready']) expect((await get(path)).status).toBe(200);
    livekit.rooms.clear();
    await livekit.stop();
    await receiver.close();
  });

  test('counts, and tells its counts in both formats', async () => {
    await boot();
    const [started, , joined] = deliveries('two-party-call'); // an agent alone would not keep the room open
    await post(started?.body ?? '');
    await post(joined?.body ?? '');
    await post(joined?.body ?? '');
    await post(joined?.body ?? '', 'another secret that nobody knows');
    await until('the caller to be in the session, and that to be told here', async () => {
      const told = (await get('/metrics')).text;
      return [
        'livekit_participants_active{kind="standard"} 1',
        'livekit_session_events_total{event="session.started"} 1',
      ].every((line) => told.includes(line));
    });
    const { type, text } = await get('/metrics');
    expect(type).toMatch(/^text\/plain/);
    for (const line of [
      'livekit_webhook_requests_total{project="default",event="room_started",outcome="unsubscribed"} 1',
      'livekit_webhook_requests_total{project="default",event="participant_joined",outcome="accepted"} 1',
      'livekit_webhook_requests_total{project="default",event="participant_joined",outcome="duplicate"} 1',
      'livekit_webhook_requests_total{project="none",event="none",outcome="unauthorized"} 1',
      'livekit_webhook_signature_failures_total{reason="signature"} 1',
      'livekit_webhook_receive_seconds_count{outcome="accepted"} 1',
      'livekit_webhook_lag_seconds_count{event="participant_joined"} 2',
      'livekit_sessions_active 1',
      'livekit_sessions_unmatched 0',
      'livekit_session_events_total{event="session.started"} 1',
    ]) {
      expect(text).toContain(line);
    }
    const open = await get('/metrics', { accept: 'application/openmetrics-text; version=1.0.0' });
    expect(open.type).toMatch(/^application\/openmetrics-text/);
    expect(open.text).toContain('livekit_webhook_signature_failures_total{reason="signature"} 1');
    expect(open.text.trimEnd()).toMatch(/# EOF$/);
    expect((await get('/metrics')).text).toContain('livekit_webhook_requests_total{');
  });

  test('asks for the metrics token when there is one', async () => {
    await boot({ METRICS_TOKEN });
    expect((await get('/metrics')).status).toBe(401);
    expect((await get('/metrics', { authorization: `Bearer ${METRICS_TOKEN}` })).status).toBe(200);
  });

  test('logs one structured line for each delivery, and nothing that is secret or personal', async () => {
    await boot();
    const sent = [
      ...deliveries('two-party-call'),
      ...deliveries('sip-caller'),
      ...deliveries('unusual-names'),
    ];
    for (const { body } of sent) await post(body);
    await post(sent[0]?.body ?? '', 'another secret that nobody knows');
    const lines = logger.of('LivekitWebhook') as Record<string, unknown>[];
    expect(lines.shift()).toMatchObject({ message: 'LiveKit webhooks are received' });
    expect(lines).toHaveLength(sent.length + 1);
    expect(lines[1]).toEqual({
      message: 'webhook',
      outcome: 'accepted',
      event: 'participant_joined',
      id: 'EV_hxiW8sossXxz',
      room: 'call-1001',
      project: 'default',
      scheme: 'livekit',
      status: 200,
      milliseconds: expect.any(Number),
    });
    expect(lines.at(-1)).toMatchObject({ outcome: 'unauthorized', reason: 'signature', status: 401 });
    const everything = logger.text();
    for (const { body } of sent) {
      const { room = {}, participant = {} } = JSON.parse(body);
      if (room.turnPassword) expect(everything).not.toContain(room.turnPassword);
      for (const value of Object.values<string>(participant.attributes ?? {})) {
        if (value.length > 6) expect(everything).not.toContain(value);
      }
    }
    expect(everything).not.toContain(SECRET);
    expect(everything).not.toMatch(/eyJ[\w-]+\./);
  });

  test('warns when the issuer is not checked', () => {
    const { warnings } = readEnvironment({ LIVEKIT_API_SECRET: SECRET });
    expect(warnings).toEqual([expect.stringMatching(/LIVEKIT_API_KEY/)]);
    return boot();
  });

  test('speaks TLS when it is given a certificate', async () => {
    await boot({ TLS_CERT_FILE: 'test/support/tls/cert.pem', TLS_KEY_FILE: 'test/support/tls/key.pem' });
    expect(url).toMatch(/^https:/);
    const ca = readFileSync('test/support/tls/cert.pem');
    const status = await new Promise((resolve, reject) => {
      request(`${url}/health/live`, { ca, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  });
});

import type { INestApplication } from '@nestjs/common';
import { AccessToken } from 'livekit-server-sdk';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { createApplication } from '../../src/application.js';
import { readEnvironment } from '../../src/config/environment.js';
import type { Session } from '../../src/sessions/session.js';
import { deliveries } from '../support/captures.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';
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

  const post = async (body: string, secret = SECRET): Promise<number> => {
    const { status } = await fetch(`${url}/voice/livekit/webhooks`, {
      method: 'POST',
      headers: { 'content-type': 'application/webhook+json', authorization: await sign(body, secret) },
      body,
    });
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
    database = await freshDatabase();
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

  test('tells its health', async () => {
    await boot();
    for (const path of ['/health', '/health/live', '/health/ready']) {
      const { status, text } = await get(path);
      expect([status, JSON.parse(text).status]).toEqual([200, 'ok']);
    }
    expect(JSON.parse((await get('/health/ready')).text).info).toHaveProperty('event_store.status', 'up');
  });

  test('counts, and tells its counts in both formats', async () => {
    await boot();
    const [started, joined] = deliveries('two-party-call');
    await post(started?.body ?? '');
    await post(joined?.body ?? '');
    await post(joined?.body ?? '');
    await post(joined?.body ?? '', 'another secret that nobody knows');
    await until('the agent to be in the session', async () =>
      (await get('/metrics')).text.includes('livekit_participants_active{kind="agent"} 1'),
    );
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
    const lines = logger.of('LivekitWebhook').filter((line) => typeof line !== 'string') as Record<
      string,
      unknown
    >[];
    expect(lines).toHaveLength(sent.length + 1);
    expect(lines[1]).toEqual({
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

async function sign(body: string, secret: string): Promise<string> {
  const token = new AccessToken(KEY, secret, { ttl: 300 });
  token.sha256 = createHash('sha256').update(body).digest('base64');
  return token.toJwt();
}

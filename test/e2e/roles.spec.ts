import type { INestApplication } from '@nestjs/common';
import { createApplication } from '../../src/application/application.js';
import { readEnvironment } from '../../src/config/environment.js';
import type { SessionsPage } from '../../src/sessions/sessions.service.js';
import { signWebhook } from '../../src/testing/sign-webhook.js';
import { deliveries } from '../support/captures.js';
import { type FreshDatabase, freshDatabase, onPostgres } from '../support/database.js';
import { ENGINES, PrivateServer } from '../support/private-server.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { until } from '../support/until.js';

const KEY = { LIVEKIT_API_KEY: 'APIe2e', LIVEKIT_API_SECRET: 'an-end-to-end-secret-of-some-length' };
const ADMIN_TOKEN = 'an-admin-token-for-tests';
const WEBHOOKS = '/voice/livekit/webhooks';

const onServer = onPostgres ? describe.each(ENGINES) : describe.skip.each(ENGINES);

onServer('an application of two roles over %s', (engine) => {
  let database: FreshDatabase;
  let server: PrivateServer;
  let apps: INestApplication[];

  beforeEach(async () => {
    apps = [];
    database = await freshDatabase();
    server = await (await PrivateServer.of(engine)).start();
  });

  afterEach(async () => {
    for (const app of apps) await app.close();
    await server.remove();
    await database.drop();
  });

  /** Starts a process of that role. @returns what asks it. */
  const start = async (role: string) => {
    const environment = readEnvironment({
      ...KEY,
      ADMIN_TOKEN,
      DATABASE_URL: database.url,
      ROLE: role,
      DELIVERY_ENGINE: engine,
      REDIS_URL: server.url.replace('nats:', 'redis:'),
      NATS_URL: server.url.replace('redis:', 'nats:'),
    });
    const app = await createApplication(environment, new RecordingLogger());
    await app.listen(0, '127.0.0.1');
    apps.push(app);
    const url = await app.getUrl();
    return (path: string, options: RequestInit = {}) =>
      fetch(url + path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` }, ...options });
  };

  test('stores at the edge, and does the rest in the worker', async () => {
    const edge = await start('edge');
    for (const { body } of deliveries('recorded-call')) {
      const headers = signWebhook(body, { apiKey: KEY.LIVEKIT_API_KEY, apiSecret: KEY.LIVEKIT_API_SECRET });
      const { status } = await edge(WEBHOOKS, { method: 'POST', headers: { ...headers }, body });
      expect(status).toBe(200);
    }
    const sessions = async () => ((await (await edge('/voice/sessions')).json()) as SessionsPage).sessions;
    expect(await sessions()).toEqual([]);

    const worker = await start('worker');
    const [session] = await until('the session', async () => {
      const some = await sessions();
      return some[0]?.state === 'ended' || some[0]?.state === 'settled' ? some : undefined;
    });
    expect(session?.participants.length).toBeGreaterThan(0);

    expect((await worker(WEBHOOKS, { method: 'POST', body: '{}' })).status).toBe(404);
    for (const path of ['/voice/sessions', '/voice/deliveries', '/voice/handlers']) {
      expect((await worker(path)).status).toBe(404);
      expect((await edge(path)).status).toBe(200);
    }
    for (const process of [edge, worker]) {
      expect((await process('/health/ready')).status).toBe(200);
      expect((await process('/metrics')).status).toBe(200);
    }
    expect(await (await worker('/metrics')).text()).toContain(
      `livekit_delivery_engine_up{engine="${engine}"} 1`,
    );
    expect(await (await worker('/health')).json()).toMatchObject({
      info: { delivery_engine: { status: 'up', type: engine } },
    });

    // An edge has nothing to do with the engine, and does not tell of it.
    expect(await (await edge('/metrics')).text()).not.toMatch(/^livekit_delivery_engine/m);
    expect(await (await edge('/health')).json()).toMatchObject({
      info: { delivery_engine: { status: 'up', type: 'database' } },
    });

    await server.kill();
    expect((await edge('/health')).status).toBe(200);
    const { status } = await worker('/health');
    expect(status).toBe(503);
    expect((await worker('/health/ready')).status).toBe(200);
    await server.start();
    await until('the engine to be reached again', async () => (await worker('/health')).status === 200);
  });
});

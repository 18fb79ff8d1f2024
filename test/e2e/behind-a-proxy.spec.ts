import type { INestApplication } from '@nestjs/common';
import type { Server } from 'node:http';
import { createApplication } from '../../src/application/application.js';
import { readEnvironment } from '../../src/config/environment.js';
import { emptyDatabase, type FreshDatabase, sqlQuery } from '../support/database.js';
import { RawConnection } from '../support/raw-http.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { mintToken, TEST_KEY } from '../support/signing.js';
import { until } from '../support/until.js';
import { newId, webhook } from '../support/webhook.js';

describe.each(['express', 'fastify'])('connections that a proxy keeps, on %s', (adapter) => {
  let database: FreshDatabase;
  let app: INestApplication;
  let url: string;
  let connections: RawConnection[];

  const connect = async () => {
    const connection = await RawConnection.open(url);
    connections.push(connection);
    return connection;
  };

  const send = (connection: RawConnection, id: string) => {
    const body = webhook({ id, createdAt: String(Math.floor(Date.now() / 1_000)) });
    const headers = {
      Authorization: mintToken(body, Date.now()),
      'Content-Length': String(Buffer.byteLength(body)),
    };
    connection.head({ path: '/voice/livekit/webhooks', headers }).write(body);
  };

  beforeEach(async () => {
    connections = [];
    database = await emptyDatabase();
    const environment = readEnvironment({
      LIVEKIT_API_KEY: TEST_KEY.apiKey,
      LIVEKIT_API_SECRET: TEST_KEY.apiSecret,
      DATABASE_URL: database.url,
      HTTP_ADAPTER: adapter,
    });
    app = await createApplication(environment, new RecordingLogger());
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });

  afterEach(async () => {
    connections.forEach((connection) => connection.cut());
    await app.close();
    await database.drop();
  });

  test('stay open for longer than proxies leave them idle', async () => {
    const connection = await connect();
    connection.head({ method: 'GET', path: '/health/live' });
    const { headers } = await connection.answer();
    // Google's load balancer: 600 s, which can't be changed. Caddy: 120 s; nginx and AWS: 60 s.
    expect(Number(/timeout=(\d+)/.exec(headers['keep-alive'] ?? '')?.[1])).toBeGreaterThan(600);
  });

  test('are not cut off under a webhook that has come when the server closes', async () => {
    const ids = Array.from({ length: 5 }, newId);
    const [first, second, ...others] = ids as [string, string, ...string[]];
    const fresh = await connect();
    const kept = await connect();
    kept.head({ method: 'GET', path: '/health/live' });
    expect((await kept.answer()).status).toBe(200);
    let waiting: Promise<RawConnection>[] = [];
    const server = app.getHttpServer() as Server;
    const close = server.close.bind(server);
    server.close = (callback) => {
      server.close = close;
      send(fresh, first);
      send(kept, second);
      waiting = others.map(async (id) => {
        const connection = await connect(); // in the next tick, and accepted later
        send(connection, id);
        return connection;
      });
      process.nextTick(close, callback);
      return server;
    };
    const closed = app.close();
    await until('the server to close', () => waiting.length > 0);
    for (const connection of [fresh, kept, ...(await Promise.all(waiting))]) {
      const { status, headers } = await connection.answer();
      expect([status, headers['connection']]).toEqual([200, 'close']);
    }
    await closed;
    const rows = await sqlQuery(database.url, "SELECT event_id FROM livekit_events WHERE kind = 'livekit'");
    expect(rows.map((row) => row['event_id']).sort()).toEqual(ids.sort());
  });
});

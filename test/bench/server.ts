/** One of the servers that are compared, in a process of its own: `server.ts <ServerShape as JSON>`. */
import 'reflect-metadata';
import express from 'express';
import { WebhookReceiver } from 'livekit-server-sdk';
import type { AddressInfo } from 'node:net';
import type { EntityManager } from 'typeorm';
import { Deliveries, EventStore, SessionsModule } from '../../dist/index.js';
import { application } from './application.js';
import { answer } from './child.js';
import { emptyHandlers } from './handlers.js';
import { API_KEY, API_SECRET, PATH } from './keys.js';
import type { ServerQuestion, ServerShape } from './servers.js';

const asked = JSON.parse(process.argv[2] ?? '') as ServerShape;
const { url, drain, backlog } = await (asked.receiver === 'baseline' ? startBaseline() : startOurs(asked));
answer<ServerQuestion>(({ ask }) => (ask === 'url' ? url : ask === 'drained' ? drain() : backlog()));

/** A server that runs. */
interface Started {
  url: string;
  drain: () => Promise<void>;
  backlog: () => Promise<number>;
}

/** What people have today: an Express handler that verifies with LiveKit's own receiver, and stores nothing. */
async function startBaseline(): Promise<Started> {
  const receiver = new WebhookReceiver(API_KEY, API_SECRET);
  const app = express();
  app.post(PATH, express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
    try {
      await receiver.receive((request.body as Buffer).toString(), request.get('Authorization'));
      response.json({ status: 'accepted' });
    } catch {
      response.status(401).json({ status: 'unauthorized' });
    }
  });
  return new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      resolve({ url: `http://127.0.0.1:${port}`, drain: async () => undefined, backlog: async () => 0 });
    });
  });
}

/** Ours: verified, stored on disk before it is answered, and logged. */
async function startOurs({
  receiver,
  database,
  handlers = 0,
  hears = '*',
  sessions = false,
  role = 'all',
}: ServerShape): Promise<Started> {
  const app = await application({
    database: { url: database ?? '' },
    role,
    adapter: receiver === 'fastify' ? 'fastify' : 'express',
    providers: [emptyHandlers(handlers, hears)],
    imports: sessions ? [SessionsModule.forRoot()] : [],
  });
  await app.listen(0, '127.0.0.1');
  return {
    url: await app.getUrl(),
    drain: () => app.get(Deliveries).drain(),
    backlog: () => app.get(EventStore).read(backlogIn),
  };
}

/** Events that nobody has looked at yet, and deliveries that are to be made. */
async function backlogIn(manager: EntityManager): Promise<number> {
  const [row] = await manager.query<{ backlog: number | string }[]>(
    `SELECT (SELECT count(*) FROM livekit_events WHERE NOT routed)
          + (SELECT count(*) FROM livekit_deliveries WHERE state = 'pending')
          + (SELECT count(*) FROM livekit_deliveries WHERE state = 'running') AS backlog`,
  );
  return Number(row?.backlog);
}

import type { EntityManager } from 'typeorm';
import { Deliveries, EventStore, MetricsModule, SessionsModule } from '../../../dist/index.js';
import { application } from '../application.js';
import { emptyHandlers } from '../handlers.js';
import type { ServerShape } from '../servers.js';
import type { Started } from './started.js';

/** Ours: verified, stored on disk before it is answered, and logged. */
export async function startOurs({
  receiver,
  database,
  handlers = 0,
  hears = '*',
  handling = {},
  sessions = false,
  metrics = false,
  logs = true,
  role = 'all',
}: ServerShape): Promise<Started> {
  const app = await application({
    database: { url: database ?? '' },
    role,
    logs,
    adapter: receiver === 'fastify' ? 'fastify' : 'express',
    providers: [emptyHandlers(handlers, hears, handling)],
    imports: [
      ...(sessions ? [SessionsModule.forRoot()] : []),
      ...(metrics ? [MetricsModule.forRoot({ processMetrics: true })] : []),
    ],
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

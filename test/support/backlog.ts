import { sqlQuery } from './database.js';

/** How much work remains: events that are not routed, and deliveries that wait or run. */
export async function backlog(databaseUrl: string): Promise<number> {
  const [row] = await sqlQuery<{ backlog: number | string }>(
    databaseUrl,
    `SELECT (SELECT count(*) FROM livekit_events WHERE NOT routed)
          + (SELECT count(*) FROM livekit_deliveries WHERE state IN ('pending', 'running')) AS backlog`,
  );
  return Number(row?.backlog);
}

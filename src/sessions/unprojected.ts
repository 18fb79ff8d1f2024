import type { EntityManager } from 'typeorm';
import { MOST_COUNTED } from '../event-log/deliveries/backlog.js';
import { FIRST_UNROUTED } from '../event-log/router.js';

const OF_SESSIONS = "livekit_deliveries WHERE handler = 'sessions'";

/**
 * When the oldest event was received that is on its way to the sessions, UTC milliseconds; `null`: none is. Of those that
 * wait `MOST_COUNTED` are looked at, the first due, as for figures of the backlog.
 */
export async function unprojectedSince(manager: EntityManager): Promise<number | null> {
  const waiting = `SELECT event_seq FROM ${OF_SESSIONS} AND state = 'pending' ORDER BY due_at LIMIT ${MOST_COUNTED}`;
  const [row] = await manager.query<{ since: number | string | null }[]>(
    `SELECT min(received_at) AS since FROM livekit_events WHERE seq IN (
       (SELECT seq FROM ${FIRST_UNROUTED}),
       (SELECT min(event_seq) FROM (${waiting}) AS waiting),
       (SELECT min(event_seq) FROM ${OF_SESSIONS} AND state = 'running'))`,
  );
  return row?.since == null ? null : Number(row.since);
}

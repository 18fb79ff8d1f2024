import type { EntityManager } from 'typeorm';
import { MOST_COUNTED } from '../event-log/deliveries/backlog.js';
import { FIRST_UNROUTED } from '../event-log/router.js';

/**
 * When the oldest event was received that is on its way to the sessions, UTC milliseconds; `null`: none is. Of those that
 * wait `MOST_COUNTED` are looked at, the first due, as for figures of the backlog.
 */
export async function unprojectedSince(manager: EntityManager): Promise<number | null> {
  const [row] = await manager.query<{ since: number | string | null }[]>(
    `SELECT min(received_at) AS since FROM livekit_events WHERE seq IN (
       (SELECT seq FROM ${FIRST_UNROUTED}), ${firstOf('pending', 'due_at')}, ${firstOf('running', 'lease_until')})`,
  );
  return row?.since == null ? null : Number(row.since);
}

// In the order of its state's index, or PostgreSQL might look for it among all that ever were.
const firstOf = (state: string, order: string): string =>
  `(SELECT min(event_seq) FROM (SELECT event_seq FROM livekit_deliveries
     WHERE handler = 'sessions' AND state = '${state}' ORDER BY ${order} LIMIT ${MOST_COUNTED}) AS theirs)`;

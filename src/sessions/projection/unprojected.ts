import type { EntityManager } from 'typeorm';
import { MOST_COUNTED } from '../../event-log/deliveries/backlog.js';
import { FIRST_UNROUTED } from '../../event-log/route/router.js';

/** Attempts, half a minute of them: an event that keeps failing must not hold up for hours what waits for all that came. */
const MOST_ATTEMPTS = 5;

/**
 * When the oldest event that is on its way to the sessions was received, UTC milliseconds; `null` if none is. Only the first
 * `MOST_COUNTED` due ones are considered, as in the figures of the backlog, and none that has failed `MOST_ATTEMPTS` times.
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
     WHERE handler = 'sessions' AND state = '${state}' AND attempt < ${MOST_ATTEMPTS}
     ORDER BY ${order} LIMIT ${MOST_COUNTED}) AS theirs)`;

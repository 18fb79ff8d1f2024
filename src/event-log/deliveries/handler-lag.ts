import type { EntityManager } from 'typeorm';
import type { StoreClock } from '../clock.js';
import { counted, MOST_COUNTED } from './backlog.js';
import type { HandlerLag } from './delivery.js';

/** How far behind each handler is, by name. */
export async function lagOfHandlers(manager: EntityManager, clock: StoreClock): Promise<HandlerLag[]> {
  const p = clock.parameters();
  const due = `SELECT d.event_seq FROM livekit_deliveries d WHERE d.handler = h.name AND d.state = 'pending'
    AND d.due_at <= ${clock.now(p)} ORDER BY d.due_at LIMIT ${MOST_COUNTED}`;
  const oldest = `(SELECT e.received_at FROM livekit_events e WHERE e.seq = (SELECT min(event_seq) FROM (${due}) due))`;
  const rows = await manager.query<LagRow[]>(
    `SELECT h.name, h.paused, h.retired_at, h.backfill_seq, h.backfill_to, ${counted('pending')} AS pending,
       ${counted('running')} AS running, ${counted('dead')} AS dead, ${clock.wallNow(p)} - ${oldest} AS lag
     FROM livekit_handlers h ORDER BY h.name`,
    p.values,
  );
  return rows.map(lagOf);
}

interface LagRow {
  name: string;
  paused: boolean | number;
  retired_at: number | string | null;
  backfill_seq: number | string | null;
  backfill_to: number | string | null;
  pending: number | string;
  running: number | string;
  dead: number | string;
  lag: number | string | null;
}

const lagOf = (row: LagRow): HandlerLag => ({
  handler: row.name,
  pending: Number(row.pending),
  running: Number(row.running),
  dead: Number(row.dead),
  lag: Math.max(0, Number(row.lag ?? 0)),
  paused: Boolean(row.paused),
  retired: row.retired_at !== null,
  backfilling:
    row.backfill_seq === null ? 0 : Math.max(0, Number(row.backfill_to) - Number(row.backfill_seq)),
});

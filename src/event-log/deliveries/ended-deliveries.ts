import type { EntityManager } from 'typeorm';
import type { StoreClock } from '../clock.js';
import type { DeliveryFilter, DeliveryState } from './delivery.js';
import { conditionOf } from './delivery-rows.js';
import { DeliveryNotFoundError, DeliveryStateError } from './errors.js';

/** What replaying or dismissing an ended delivery needs of it. */
export interface EndedDelivery {
  id: number;
  eventSeq: number;
  handler: string;
  orderKey: string | null;
  state: DeliveryState;
}

/** A search for ended deliveries that match a filter, with ids above `after` and up to `to`. */
export interface EndedSearch {
  filter: DeliveryFilter;
  after: number;
  to: number;
  /** At most this many. */
  limit: number;
  /** Only those to replay: whose event's bytes are still stored, and which have not been replayed since. */
  toReplay: boolean;
}

/** The states of ended deliveries, which may be replayed. */
const ENDED = "('done', 'dead', 'discarded', 'dismissed', 'replayed', 'retired')";

/**
 * Finds an ended delivery by its id.
 *
 * @throws DeliveryNotFoundError when there is none of this id.
 * @throws DeliveryStateError when it has not ended, or its event's bytes are needed and gone.
 */
export async function endedOne(
  manager: EntityManager,
  clock: StoreClock,
  id: number,
  { needsBody = true } = {},
): Promise<EndedDelivery> {
  if (!Number.isSafeInteger(id)) throw new DeliveryNotFoundError(`there is no delivery ${id}`);
  const p = clock.parameters();
  const [row] = await manager.query<(EndedRow & { has_body: boolean | number })[]>(
    `SELECT d.id, d.event_seq, d.handler, d.order_key, d.state,
       EXISTS (SELECT 1 FROM livekit_bodies b WHERE b.event_seq = d.event_seq) AS has_body
     FROM livekit_deliveries d WHERE d.id = ${p.add(id)}`,
    p.values,
  );
  if (row === undefined) throw new DeliveryNotFoundError(`there is no delivery ${id}`);
  if (row.state === 'pending' || row.state === 'running')
    throw new DeliveryStateError(`delivery ${id} is ${row.state}: it will be run in any case`);
  if (needsBody && !row.has_body)
    throw new DeliveryStateError(
      `delivery ${id} can't be replayed: its event's bytes have been pruned or erased`,
    );
  return endedOf(row);
}

/** Finds ended deliveries, oldest first. */
export async function endedAmong(
  manager: EntityManager,
  clock: StoreClock,
  { filter, after, to, limit, toReplay }: EndedSearch,
): Promise<EndedDelivery[]> {
  const p = clock.parameters();
  const body = toReplay ? 'JOIN livekit_bodies b ON b.event_seq = d.event_seq' : '';
  const last = `NOT EXISTS (SELECT 1 FROM livekit_deliveries later
    WHERE later.event_seq = d.event_seq AND later.handler = d.handler AND later.replay_no > d.replay_no)`;
  const rows = await manager.query<EndedRow[]>(
    `SELECT d.id, d.event_seq, d.handler, d.order_key, d.state
     FROM livekit_deliveries d JOIN livekit_events e ON e.seq = d.event_seq ${body}
     WHERE ${conditionOf(filter, p)} AND d.state IN ${ENDED} AND d.id > ${p.add(after)} AND d.id <= ${p.add(to)}
       ${toReplay ? `AND ${last}` : ''}
     ORDER BY d.id LIMIT ${limit}`,
    p.values,
  );
  return rows.map(endedOf);
}

interface EndedRow {
  id: number | string;
  event_seq: number | string;
  handler: string;
  order_key: string | null;
  state: EndedDelivery['state'];
}

const endedOf = (row: EndedRow): EndedDelivery => ({
  id: Number(row.id),
  eventSeq: Number(row.event_seq),
  handler: row.handler,
  orderKey: row.order_key,
  state: row.state,
});

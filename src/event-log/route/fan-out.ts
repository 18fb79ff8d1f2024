import type { EntityManager } from 'typeorm';
import { type Dialect, dialectOf, jsonList, jsonValues } from '../../database/sql.js';
import { runOffThread } from '../../database/sqlite/off-thread.js';
import { BLOCKED } from '../room-wait.js';

/** Which events are given to which handlers, as SQL without parameters. */
export interface FanOut {
  /** The condition on `livekit_events e`, of which the first in the log are taken. */
  events: string;
  /** At most this many events. */
  limit: string;
  /** The condition on `livekit_handlers h`. */
  handlers: string;
  /** The condition for an event `e` of the batch to be given to a handler `h` subscribed to it. */
  given: string;
  /** When deliveries are due. */
  now: string;
  /**
   * Other writes about the events of `batch`, in this order: on SQLite each statement selects the batch anew, so the
   * columns that it is selected by must change last; on PostgreSQL no statement sees the changes of another.
   */
  beside?: readonly string[];
}

/** The result of a fan-out. */
export interface FannedOut {
  /** Whether the batch reached its limit. */
  isFull: boolean;
  /** The `seq` of its last event; `null`: there was none. */
  last: number | null;
  /** The handlers subscribed to its events. */
  handlers: ReadonlySet<string>;
  /** The `traceparent`s of those whose trace is sampled. */
  traceparents: readonly string[];
}

/** The result where there is no event. */
export const NOTHING: FannedOut = {
  isFull: false,
  last: null,
  handlers: new Set(),
  traceparents: [],
};

/**
 * Gives events to handlers: a delivery for each, due now, or when the last one that waits for the same room is due. Runs
 * in the caller's transaction, which holds the ordering lock, and reads no event into this process.
 */
export async function fanOut(manager: EntityManager, { beside = [], ...fan }: FanOut): Promise<FannedOut> {
  const dialect = dialectOf(manager);
  const batch = `WITH ${batchSql(fan)}, ${hearersSql(dialect, 'batch', fan.handlers)}`;
  const look = lookSql(dialect, fan);
  const writes = [deliveriesSql(fan), ...beside];
  if (dialect === 'sqlite') {
    const [told] = await manager.query<[ToldRow]>(`${batch} ${look}`);
    if (told.last !== null) await runOffThread(manager, ...writes.map((write) => `${batch} ${write}`));
    return fannedOut(told);
  }
  // In one statement: other processes may commit events between two.
  const steps = writes.map((write, nth) => `step_${nth} AS (${write})`);
  const [told] = await manager.query<[ToldRow]>(`${[batch, ...steps].join()} ${look}`);
  return fannedOut(told);
}

const batchSql = ({ events, limit }: FanOut): string =>
  `batch AS MATERIALIZED (
     SELECT e.seq, e.kind, e.name, e.received_at, e.routed, e.traceparent, e.source || '/' || coalesce(e.room_sid, e.room_name) AS room
     FROM livekit_events e WHERE ${events} ORDER BY e.seq LIMIT ${limit}
   )`;

/**
 * The SQL of `hearers`, which handlers are subscribed to which events: by the names of events, of which there are few,
 * because a handler's patterns are JSON.
 *
 * @param events the relation that the events are in, with their `kind` and `name`.
 * @param handlers the condition on `livekit_handlers h`.
 */
export const hearersSql = (dialect: Dialect, events: string, handlers: string): string =>
  `hearers AS MATERIALIZED (
     SELECT named.kind, named.event, h.name, h.ordered, h.blocking, h.backfill_seq, h.backfill_to, h.backfill_since
     FROM (SELECT DISTINCT kind, name AS event FROM ${events}) AS named CROSS JOIN livekit_handlers h
     WHERE ${handlers} AND EXISTS (
       SELECT 1 FROM ${jsonValues(dialect, 'h.patterns')}
       WHERE value IN (named.kind || ':' || named.event, named.kind || ':*')
     )
   )`;

// Within a room no delivery is due before those ahead of it, so the first ones due are also the next in order.
const deliveriesSql = ({ given, now }: FanOut): string => {
  const same = 'd.handler = h.name AND d.order_key = e.room';
  return `INSERT INTO livekit_deliveries (event_seq, handler, order_key, due_at)
   SELECT e.seq, h.name, CASE WHEN h.ordered THEN e.room END,
     CASE
       WHEN NOT h.ordered THEN ${now}
       WHEN h.blocking AND EXISTS (SELECT 1 FROM livekit_deliveries d WHERE ${same} AND d.state = 'dead') THEN ${BLOCKED}
       ELSE coalesce((SELECT max(d.due_at) FROM livekit_deliveries d WHERE ${same} AND d.state = 'pending'), ${now})
     END
   FROM batch e CROSS JOIN hearers h WHERE h.kind = e.kind AND h.event = e.name AND ${given} ORDER BY e.seq
   ON CONFLICT (event_seq, handler, replay_no) DO NOTHING`;
};

interface ToldRow {
  is_full: boolean | number;
  last: number | string | null;
  /** JSON, like the next. */
  handlers: string;
  traceparents: string;
}

// Recognises sampled traces as `isSampled` does.
const lookSql = (dialect: Dialect, { limit }: FanOut): string =>
  `SELECT count(*) >= ${limit} AS is_full, max(seq) AS last, (SELECT ${jsonList(dialect, 'DISTINCT name')} FROM hearers) AS handlers,
     (SELECT ${jsonList(dialect, 'traceparent')} FROM batch WHERE traceparent LIKE '%01') AS traceparents
   FROM batch`;

const fannedOut = ({ is_full, last, handlers, traceparents }: ToldRow): FannedOut => ({
  isFull: Boolean(is_full),
  last: last === null ? null : Number(last),
  handlers: new Set(JSON.parse(handlers) as string[]),
  traceparents: JSON.parse(traceparents) as string[],
});

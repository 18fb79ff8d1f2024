import type { EntityManager } from 'typeorm';
import { type Dialect, dialectOf, jsonList, jsonValues } from '../database/sql.js';
import { runOffThread } from '../database/staged-write.js';
import { BLOCKED } from './running/blocked.js';

/** Which events are given to which handlers, as SQL that has no parameters. */
export interface FanOut {
  /** Which `livekit_events e`, with their order and limit. */
  events: string;
  /** Which `livekit_handlers h`. */
  handlers: string;
  /** Which event `e` of the batch is given to which handler `h` that hears of it. */
  given: string;
  /** When deliveries are due. */
  now: string;
  /** What else is written about the events of `batch`; none of it sees what another has changed. */
  beside?: readonly string[];
}

/** What was fanned out. */
export interface FannedOut {
  /** How many events, be they heard of or not. */
  events: number;
  /** The last of them in the log; `null`: there was none. */
  last: number | null;
  /** Which handlers hear of them. */
  handlers: ReadonlySet<string>;
  /** Where their traces go on, of those that somebody will be able to look at. */
  traceparents: readonly string[];
}

/**
 * Gives events to handlers: a delivery for each, due now, or when the last one that waits for the same room is. In the
 * caller's transaction, which holds the ordering lock. No event is read here: most of them are heard of by nobody.
 */
export async function fanOut(manager: EntityManager, { beside = [], ...fan }: FanOut): Promise<FannedOut> {
  const dialect = dialectOf(manager);
  const batch = `WITH ${batchSql(fan)}, ${hearersSql(dialect, fan)}`;
  const look = lookSql(dialect);
  const writes = [deliveriesSql(fan), ...beside];
  if (dialect === 'sqlite') {
    const [told] = await manager.query<[ToldRow]>(`${batch} ${look}`);
    if (told.last !== null) await runOffThread(manager, ...writes.map((write) => `${batch} ${write}`));
    return fannedOut(told);
  }
  // In one statement: others may commit events between two.
  const steps = writes.map((write, nth) => `step_${nth} AS (${write})`);
  const [told] = await manager.query<[ToldRow]>(`${[batch, ...steps].join()} ${look}`);
  return fannedOut(told);
}

const batchSql = ({ events }: FanOut): string =>
  `batch AS MATERIALIZED (
     SELECT e.seq, e.kind, e.name, e.received_at, e.routed, e.traceparent, e.source || '/' || coalesce(e.room_sid, e.room_name) AS room
     FROM livekit_events e WHERE ${events}
   )`;

// By the names of events, of which there are few: what a handler hears of is JSON.
const hearersSql = (dialect: Dialect, { handlers }: FanOut): string =>
  `hearers AS MATERIALIZED (
     SELECT named.kind, named.event, h.name, h.ordered, h.blocking, h.backfill_seq, h.backfill_since
     FROM (SELECT DISTINCT kind, name AS event FROM batch) AS named CROSS JOIN livekit_handlers h
     WHERE ${handlers} AND EXISTS (
       SELECT 1 FROM ${jsonValues(dialect, 'h.patterns')}
       WHERE value IN (named.kind || ':' || named.event, named.kind || ':*')
     )
   )`;

// Within a room nobody is due before those in front of them: so the first that are due are also the next in order.
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
  events: number | string;
  last: number | string | null;
  /** JSON, as the next. */
  handlers: string | null;
  traceparents: string | null;
}

const lookSql = (dialect: Dialect): string =>
  `SELECT count(*) AS events, max(seq) AS last, (SELECT ${jsonList(dialect, 'DISTINCT name')} FROM hearers) AS handlers,
     (SELECT ${jsonList(dialect, 'traceparent')} FROM batch WHERE traceparent LIKE '%01') AS traceparents
   FROM batch`;

const fannedOut = ({ events, last, handlers, traceparents }: ToldRow): FannedOut => ({
  events: Number(events),
  last: last === null ? null : Number(last),
  handlers: new Set(textsIn(handlers)),
  traceparents: textsIn(traceparents),
});

const textsIn = (json: string | null): string[] => (json === null ? [] : (JSON.parse(json) as string[]));

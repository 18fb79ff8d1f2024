import type { EntityManager } from 'typeorm';
import { dialectOf, rowsOf, SqlParameters } from '../database/sql.js';

/** A due time that never comes, of deliveries that wait behind a dead letter that blocks their room. */
export const BLOCKED = Number.MAX_SAFE_INTEGER;

/** The most deliveries changed in one statement: a room may hold more than PostgreSQL changes in the time it has for one. */
const MOST_A_STATEMENT = 10_000;

/** The SQL of the due time of deliveries that wait in a room until this time: replays come after the others. */
export const dueInRoom = (time: string): string => `${time} + CASE WHEN replay_no > 0 THEN 1 ELSE 0 END`;

/** The SQL of the latest due time of a room's pending deliveries that are not blocked; NULL if there are none. */
export const lastDueInRoom = (handler: string, orderKey: string): string =>
  `(SELECT max(w.due_at) FROM livekit_deliveries w
    WHERE w.handler = ${handler} AND w.order_key = ${orderKey} AND w.state = 'pending' AND w.due_at < ${BLOCKED})`;

/** Lets those behind a pending delivery in its room wait until it is due. */
export function holdBack(manager: EntityManager, id: number): Promise<void> {
  const due = dueInRoom('head_due_at');
  return setDueBehind(manager, id, due, `due_at < ${due}`);
}

/**
 * Lets those behind a dead letter in its room wait until it is let rest, if its handler blocks: the release that started last
 * decides, which may be another one than ours.
 */
export async function block(manager: EntityManager, id: number): Promise<void> {
  const p = new SqlParameters(dialectOf(manager));
  const [blocks] = await manager.query<object[]>(
    `SELECT 1 FROM livekit_deliveries d JOIN livekit_handlers h ON h.name = d.handler
     WHERE d.id = ${p.add(id)} AND h.blocking`,
    p.values,
  );
  if (blocks !== undefined) await setDueBehind(manager, id, String(BLOCKED), `due_at < ${BLOCKED}`);
}

/**
 * Lets those behind a dead letter that has been let rest wait no longer, unless another one blocks their room: they come
 * after what is pending there, such as the retry of a replay.
 */
export async function unblock(manager: EntityManager, id: number): Promise<void> {
  const p = new SqlParameters(dialectOf(manager));
  const [free] = await manager.query<{ since: number | string }[]>(
    `SELECT coalesce(${lastDueInRoom('head.handler', 'head.order_key')}, head.done_at) AS since
     FROM livekit_deliveries head WHERE head.id = ${p.add(id)} AND NOT EXISTS (
       SELECT 1 FROM livekit_deliveries d
       WHERE d.handler = head.handler AND d.order_key = head.order_key AND d.state = 'dead')`,
    p.values,
  );
  if (free !== undefined)
    await setDueBehind(manager, id, dueInRoom(String(free.since)), `due_at = ${BLOCKED}`);
}

/** @param which the condition on those whose due time is not `due` yet. */
async function setDueBehind(manager: EntityManager, id: number, due: string, which: string): Promise<void> {
  let changed: number;
  do {
    const p = new SqlParameters(dialectOf(manager));
    const rows = rowsOf(
      await manager.query(
        `WITH head AS MATERIALIZED (
           SELECT id AS head_id, handler AS head_handler, order_key AS head_order_key, due_at AS head_due_at
           FROM livekit_deliveries WHERE id = ${p.add(id)}),
         behind AS MATERIALIZED (
           SELECT id AS behind_id, ${due} AS due FROM head JOIN livekit_deliveries
             ON handler = head_handler AND order_key = head_order_key AND state = 'pending' AND id <> head_id
           WHERE ${which} LIMIT ${MOST_A_STATEMENT})
         UPDATE livekit_deliveries SET due_at = due FROM behind WHERE id = behind_id RETURNING id`,
        p.values,
      ),
    );
    changed = rows.length;
  } while (changed === MOST_A_STATEMENT);
}

import type { SqlParameters } from '../../database/sql.js';
import { plainText } from '../../database/plain-text.js';
import { EVENT_COLUMNS, eventHeader, type EventRow, ownId } from '../events.js';
import { BLOCKED } from '../room-wait.js';
import type { Delivery, DeliveryFilter, DeliveryState, FailedAttempt } from './delivery.js';

/** A delivery with its event, as either database returns it. */
export type DeliveryRow = EventRow & {
  id: number | string;
  handler: string;
  state: DeliveryState;
  attempt: number;
  replay_no: number;
  due_at: number | string;
  done_at: number | string | null;
  error: string | null;
};

/** A failed attempt as either database returns it. */
export interface AttemptRow {
  attempt: number;
  failed_at: number | string;
  error: string;
}

/** Selects deliveries `d` with their events `e`. */
export const SELECT_DELIVERIES = `SELECT d.id, d.handler, d.state, d.attempt, d.replay_no, d.due_at, d.done_at, d.error,
  ${EVENT_COLUMNS} FROM livekit_deliveries d JOIN livekit_events e ON e.seq = d.event_seq`;

/** The SQL condition of a filter, over `d` and `e`. */
export function conditionOf({ handler, state, room }: DeliveryFilter, p: SqlParameters): string {
  const conditions = ['true'];
  if (handler !== undefined) conditions.push(`d.handler = ${p.add(plainText(handler))}`);
  if (state !== undefined) conditions.push(`d.state = '${state}'`);
  if (room !== undefined) {
    const text = plainText(room);
    conditions.push(`(e.room_sid = ${p.add(text)} OR e.room_name = ${p.add(text)})`);
  }
  return conditions.join(' AND ');
}

/** The delivery that a row holds. */
export function deliveryOf(row: DeliveryRow): Delivery {
  const header = eventHeader(row);
  const { eventId: _, bodySha256: __, source, occurredAt, receivedAt, ...event } = header;
  const dueAt = Number(row.due_at);
  return {
    id: Number(row.id),
    handler: row.handler,
    state: row.state,
    attempt: row.attempt,
    replay: row.replay_no,
    dueAt: row.state === 'pending' && dueAt !== BLOCKED ? new Date(dueAt) : null,
    doneAt: row.done_at === null ? null : new Date(Number(row.done_at)),
    error: row.error,
    event: {
      ...event,
      id: ownId(header),
      project: source,
      occurredAt: new Date(occurredAt),
      receivedAt: new Date(receivedAt),
    },
  };
}

/** The failed attempt that a row holds. */
export const attemptOf = ({ attempt, failed_at, error }: AttemptRow): FailedAttempt => ({
  attempt,
  failedAt: new Date(Number(failed_at)),
  error,
});

import { isDate } from 'node:util/types';
import { type BackfillStart, DELIVERY_STATES, type DeliveryFilter, type DeliveryQuery } from './delivery.js';
import { DeliveryRequestError } from './errors.js';

/** A filter, checked: a host's own route may pass anything. @throws DeliveryRequestError when its state is none. */
export function checkedFilter<F extends DeliveryFilter>(filter: F): F {
  if (filter.state === undefined || DELIVERY_STATES.includes(filter.state)) return filter;
  throw new DeliveryRequestError(`\`state\` must be one of ${DELIVERY_STATES.join(', ')}`);
}

/** The size of a page. @throws DeliveryRequestError when it is not a whole number from 1 to 500. */
export function limitOf({ limit = 50 }: DeliveryQuery): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 500) return limit;
  throw new DeliveryRequestError('`limit` must be a whole number from 1 to 500');
}

/**
 * Where a backfill starts, checked: an invalid Date or NaN would become NULL on SQLite, and the backfill would give all that
 * is stored, or nothing.
 *
 * @throws DeliveryRequestError when it is invalid.
 */
export function checkedStart(start: BackfillStart): BackfillStart {
  const { since, fromSeq } = start;
  if (since !== undefined && !(isDate(since) && Number.isFinite(since.getTime())))
    throw new DeliveryRequestError('`since` must be a valid Date');
  if (fromSeq !== undefined && !(Number.isSafeInteger(fromSeq) && fromSeq >= 0))
    throw new DeliveryRequestError('`fromSeq` must be a whole number, the `seq` of an event');
  return start;
}

/** The delivery before which a page begins. @throws DeliveryRequestError when the cursor is not one of ours. */
export function positionOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new DeliveryRequestError(
    '`cursor` is not one of ours: give the `nextCursor` of the page before, as it was',
  );
}

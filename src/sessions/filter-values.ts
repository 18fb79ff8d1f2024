import { isDate } from 'node:util/types';
import { SessionRequestError } from './errors.js';

/** A filter's value, checked: a host's own route may pass anything. @throws SessionRequestError when it is none of the words. */
export function oneOf<V extends string>(name: string, words: readonly V[], value: V): V {
  if (words.includes(value)) return value;
  throw new SessionRequestError(`\`${name}\` must be one of ${words.join(', ')}`);
}

/** A time in a filter, UTC milliseconds. @throws SessionRequestError when it is not valid: databases would make it NULL. */
export function timeOf(name: string, value: Date): number {
  const time = isDate(value) ? value.getTime() : NaN;
  if (Number.isFinite(time)) return time;
  throw new SessionRequestError(`\`${name}\` must be a valid Date`);
}

/** The most sessions, or expectations, on a page. */
export const LARGEST_PAGE = 200;

/** The size of a page, 50 by default. @throws SessionRequestError when it is not a whole number from 1 to `LARGEST_PAGE`. */
export function pageSize(limit = 50): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LARGEST_PAGE) return limit;
  throw new SessionRequestError(`\`limit\` must be a whole number from 1 to ${LARGEST_PAGE}`);
}

/** The error about a cursor that is not one of ours. */
export const strangeCursor = (): SessionRequestError =>
  new SessionRequestError('`cursor` is not one of ours: give the `nextCursor` of the page before, as it was');

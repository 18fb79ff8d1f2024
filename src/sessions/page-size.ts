import { SessionRequestError } from './errors.js';

/** The most sessions, or expectations, on a page. */
export const LARGEST_PAGE = 200;

/** The size of a page, 50 by default. @throws SessionRequestError when it is not a whole number from 1 to `LARGEST_PAGE`. */
export function pageSize(limit = 50): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LARGEST_PAGE) return limit;
  throw new SessionRequestError(`\`limit\` must be a whole number from 1 to ${LARGEST_PAGE}`);
}

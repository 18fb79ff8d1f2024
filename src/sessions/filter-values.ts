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

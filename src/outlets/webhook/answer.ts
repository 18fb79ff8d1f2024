import { FailDelivery, RetryAfter } from '../../event-log/handlers/outcomes.js';
import { tellable } from '../../logging/told-error.js';
import { OutletError } from '../errors.js';

/** The bounds on a receiver's `Retry-After`, milliseconds. */
const LEAST = 1_000;
const MOST = 3_600_000;

/** The answer to a webhook. */
export interface WebhookAnswer {
  status: number;
  retryAfter: string | undefined;
}

/**
 * What an answer means for the delivery; `null` if that is done.
 *
 * @param now UTC milliseconds.
 */
export function failureOf({ status, retryAfter }: WebhookAnswer, now: number): Error | null {
  if (status >= 200 && status < 300) return null;
  const told = `the webhook's receiver answered ${status}`;
  if (status === 410) return tellable(new FailDelivery(`${told} (Gone): it wants no more events`));
  if (status >= 300 && status < 400) {
    return new OutletError(`${told}, and redirects are not followed: give its final URL`);
  }
  const wait = status === 429 || status === 503 ? waitOf(retryAfter, now) : undefined;
  return wait === undefined
    ? new OutletError(told)
    : tellable(new RetryAfter(wait, `${told}, to be tried again in ${wait} ms`));
}

// Seconds, or a date (RFC 9110, 10.2.3).
function waitOf(retryAfter: string | undefined, now: number): number | undefined {
  if (retryAfter === undefined) return undefined;
  const text = retryAfter.trim();
  const wait = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, LEAST), MOST);
}

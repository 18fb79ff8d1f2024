import { FailDelivery, RetryAfter } from '../../event-log/handlers/outcomes.js';
import { tellable } from '../../logging/told-error.js';
import { OutletError } from '../errors.js';

/** The longest `Retry-After` that is heeded, milliseconds. */
const LONGEST_WAIT = 3_600_000;

/** The answer to a webhook. */
export interface WebhookAnswer {
  status: number;
  retryAfter: string | undefined;
}

/**
 * What an answer means for the delivery; `null` if that is done. A `Retry-After` can only put the next attempt off: those of
 * a receiver that always asks for a second would be used up within minutes.
 *
 * @param now UTC milliseconds.
 * @param backoff how long it waits in any case, milliseconds.
 */
export function failureOf(
  { status, retryAfter }: WebhookAnswer,
  { now, backoff }: { now: number; backoff: number },
): Error | null {
  if (status >= 200 && status < 300) return null;
  const told = `the webhook's receiver answered ${status}`;
  if (status === 410) return tellable(new FailDelivery(`${told} (Gone): it wants no more events`));
  if (status >= 300 && status < 400) {
    return new OutletError(`${told}, and redirects are not followed: give its final URL`);
  }
  const asked = status === 429 || status === 503 ? waitOf(retryAfter, now) : 0;
  const wait = Math.min(asked, LONGEST_WAIT);
  return wait > backoff
    ? tellable(new RetryAfter(wait, `${told}, to be tried again in ${wait} ms`))
    : new OutletError(told);
}

// Seconds, or a date (RFC 9110, 10.2.3); 0 where it is neither.
function waitOf(retryAfter = '', now: number): number {
  const text = retryAfter.trim();
  const wait = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(wait) ? 0 : wait;
}

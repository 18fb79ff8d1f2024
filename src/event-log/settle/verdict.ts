import { inspect } from 'node:util';
import { plainText } from '../../database/plain-text.js';
import { withJitter } from '../backoff.js';
import type { ClaimedDelivery } from '../claim/claims.js';
import { DiscardDelivery, FailDelivery, RetryAfter } from '../handlers/outcomes.js';

/**
 * What becomes of a delivery after a run: `done`; `retry` after a while; `dead` (out of attempts, or given up);
 * `discarded` (by its handler, or because its event's bytes are gone); `released` (the attempt does not count, and any
 * process may claim it).
 */
export type Verdict =
  | { state: 'done' }
  | { state: 'retry'; after: number; error: string }
  | { state: 'dead'; error: string }
  | { state: 'discarded'; error: string }
  | { state: 'released' };

/** Whether the deliveries behind this one in its room must wait now. */
export const holdsRoom = ({
  delivery: { handler },
  verdict: { state },
}: {
  delivery: Pick<ClaimedDelivery, 'handler'>;
  verdict: Verdict;
}): boolean => state === 'retry' || state === 'released' || (state === 'dead' && handler.blocking);

const UNREADABLE = 'what was thrown can not be read';

/** The longest text that is kept of an error, characters. */
const LONGEST_ERROR = 4_000;

/** Decides what follows when a handler throws. */
export function verdictOf(
  thrown: unknown,
  { attempt, handler }: Pick<ClaimedDelivery, 'attempt' | 'handler'>,
  random?: () => number,
): Verdict {
  const error = errorText(thrown);
  if (thrown instanceof DiscardDelivery) return { state: 'discarded', error };
  if (thrown instanceof FailDelivery || attempt >= handler.maxAttempts) return { state: 'dead', error };
  return { state: 'retry', after: waitAfter(thrown, attempt, handler.backoff, random), error };
}

// A host's own backoff may throw or give nonsense: its delivery must not be lost for that.
function waitAfter(
  thrown: unknown,
  attempt: number,
  backoff: (attempt: number) => number,
  random?: () => number,
): number {
  if (thrown instanceof RetryAfter && isWait(thrown.milliseconds)) return Math.round(thrown.milliseconds);
  try {
    const wait = backoff(attempt);
    if (isWait(wait)) return withJitter(wait, random);
  } catch {
    // as if it had given nonsense
  }
  return 60_000;
}

const isWait = (wait: unknown): wait is number =>
  typeof wait === 'number' && wait >= 0 && wait <= 366 * 86_400_000;

/** What a handler threw, or an error in its place if it can't even be inspected. */
export function readable(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error);
    return thrown;
  } catch {
    return new Error(UNREADABLE);
  }
}

/**
 * The text that is kept, and logged, of what was thrown, which may be no error at all: without its properties, such as a
 * failed query's parameters, which are somebody's data.
 */
export function errorText(thrown: unknown): string {
  return plainText(textOf(thrown).slice(0, LONGEST_ERROR));
}

// Anything may be thrown: something with a stack of call sites, or with a getter or an inspection that throws in turn.
function textOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return inspect(thrown, { depth: 1 });
    return typeof thrown.stack === 'string' ? thrown.stack : `${thrown.name}: ${thrown.message}`;
  } catch {
    return UNREADABLE;
  }
}

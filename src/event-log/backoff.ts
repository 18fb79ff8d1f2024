/** How long to wait between attempts, milliseconds. */
export interface BackoffOptions {
  /** Before the second attempt, 1 s by default. It doubles from there. */
  first?: number | undefined;
  /** The longest wait, 1 h by default. */
  longest?: number | undefined;
}

/** The wait after an attempt (from 1), doubling from the first to the longest, milliseconds. */
export const exponentialBackoff =
  ({ first = 1_000, longest = 3_600_000 }: BackoffOptions = {}) =>
  (attempt: number): number =>
    Math.min(longest, first * 2 ** Math.min(attempt - 1, 52));

/** Spreads a wait by a fifth to either side, so that what failed together does not come back together. */
export const withJitter = (wait: number, random: () => number = Math.random): number =>
  Math.round(wait * (0.8 + 0.4 * random()));

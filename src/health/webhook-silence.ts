import { SILENCE } from '../sessions/reconciliation/reconciliation-loop.js';

/** How far LiveKit's clock, which rooms are opened by, and ours may be apart, milliseconds: with more, webhooks are refused. */
const CLOCKS_APART = 10_000;

/** What tells of a project whether webhooks should have come. Times are UTC milliseconds. */
export interface WatchedProject {
  now: number;
  /** None has come since, or none could, for this process did not run yet. */
  quietSince: number;
  /** When each room was opened that somebody takes part in at LiveKit; undefined: LiveKit is not asked, or does not say. */
  opened: readonly number[] | undefined;
  /** Whether somebody is in a room, for all we know. */
  isActive: boolean;
}

/** What to compare when nothing comes. */
const CURE =
  "compare `webhook.urls` in LiveKit's configuration with the address logged at the start, and see that `webhook.api_key` is one of its `keys`; what came and was refused is in the log";

/**
 * Why a project's silence is a fault, and what to do; undefined: it need not be one. Long calls are silent, and so it takes
 * either a proof, a room that LiveKit has opened since and that nothing has come of, or somebody who says how long is too long.
 *
 * @param limit what somebody says, milliseconds; `false`: no silence is too long.
 */
export function silenceTrouble(
  { now, quietSince, opened, isActive }: WatchedProject,
  limit: number | false | undefined,
): string | undefined {
  if (limit === false) return undefined;
  const unheard = (opened ?? []).filter((at) => at > quietSince + CLOCKS_APART && now - at > SILENCE);
  if (unheard.length > 0) {
    const first = new Date(Math.min(...unheard)).toISOString();
    return `no webhook comes, and LiveKit has opened ${unheard.length} rooms in use since ${first}: ${CURE}`;
  }
  if (limit === undefined || now - quietSince <= limit || !isActive) return undefined;
  return `no webhook has come for ${(now - quietSince) / 1000} s while somebody is in a room (${limit / 1000} s are allowed): ${CURE}`;
}

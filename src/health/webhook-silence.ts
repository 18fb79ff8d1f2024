import { SILENCE } from '../sessions/reconciliation/reconciliation-loop.js';

/** How far LiveKit's clock, which dates the rooms, and ours may differ, milliseconds: beyond it, webhooks are refused. */
const CLOCKS_APART = 10_000;

/** What shows whether a project's webhooks should have arrived. Times are UTC milliseconds. */
export interface WatchedProject {
  now: number;
  /** No webhook has arrived since, or none could, because this process was not running yet. */
  quietSince: number;
  /** When LiveKit opened each of its rooms that have participants; undefined when it is not queried, or does not answer. */
  opened: readonly number[] | undefined;
  /** Whether somebody is in a room, as far as we know. */
  isActive: boolean;
}

/** What to compare when no webhook arrives. */
const CURE =
  "compare `webhook.urls` in LiveKit's configuration with the address logged at the start, and see that `webhook.api_key` is one of its `keys`; what came and was refused is in the log";

/**
 * Why a project's silence is a fault, and what to do; undefined when it need not be one. Long calls are silent too, so a
 * fault takes either proof, a room that LiveKit has opened since without a webhook arriving, or a configured limit.
 *
 * @param limit the configured limit, milliseconds; `false`: no silence is too long.
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

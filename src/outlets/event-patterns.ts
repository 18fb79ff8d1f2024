import { LIVEKIT_EVENT_NAMES } from '../livekit-webhook/livekit-events.js';
import { SESSION_EVENT_NAMES } from '../sessions/events/session-events.js';

/** Which events are published: the names of each kind as handlers name them; `*` is all of a kind. */
export interface PublishedEvents {
  session: readonly string[];
  livekit: readonly string[];
}

const LIVEKIT = 'livekit.';

/** What of each kind a pattern means; nothing when it matches no event. In it, `*` stands for any characters. */
export function eventsLike(pattern: string): PublishedEvents | undefined {
  const whole = new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[^\w]/g, '\\$&'))
      .join('.*')}$`,
  );
  const session = SESSION_EVENT_NAMES.filter((name) => whole.test(name));
  const livekit = LIVEKIT_EVENT_NAMES.filter((name) => whole.test(LIVEKIT + name));
  if (session.length + livekit.length === 0) return undefined;
  return {
    session: session.length === SESSION_EVENT_NAMES.length ? ['*'] : session,
    // All of them are also those that LiveKit will have one day.
    livekit: livekit.length === LIVEKIT_EVENT_NAMES.length ? ['*'] : livekit,
  };
}

/** What several patterns mean together. */
export function allEventsLike(patterns: readonly string[]): PublishedEvents {
  const each = patterns.map(eventsLike);
  const of = (kind: keyof PublishedEvents) => [...new Set(each.flatMap((events) => events?.[kind] ?? []))];
  return { session: of('session'), livekit: of('livekit') };
}

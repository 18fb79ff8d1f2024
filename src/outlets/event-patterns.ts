import { LIVEKIT_EVENT_NAMES } from '../livekit-webhook/livekit-events.js';
import { SESSION_EVENT_NAMES } from '../sessions/events/session-events.js';

/** Which events are published, by kind, under the names that handlers use; `*` stands for all of a kind. */
export interface PublishedEvents {
  session: readonly string[];
  livekit: readonly string[];
}

const LIVEKIT = 'livekit.';

/** The events that a pattern matches; `undefined` if none. In a pattern, `*` stands for any characters. */
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
    // All of them includes those that LiveKit will add.
    livekit: livekit.length === LIVEKIT_EVENT_NAMES.length ? ['*'] : livekit,
  };
}

/** The events that any of several patterns match. */
export function allEventsLike(patterns: readonly string[]): PublishedEvents {
  const each = patterns.map(eventsLike);
  const of = (kind: keyof PublishedEvents) => [...new Set(each.flatMap((events) => events?.[kind] ?? []))];
  return { session: of('session'), livekit: of('livekit') };
}

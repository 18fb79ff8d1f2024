import type { LoggedEvent } from '../../event-log/events.js';
import type { Expectation } from '../expectations/expectation.js';
import type { Session, SessionConnection, SessionParticipant } from '../session.js';

/** Every session event's name. */
export const SESSION_EVENT_NAMES = [
  'session.started',
  'session.participant_joined',
  'session.participant_left',
  'session.ended',
  'session.settled',
  'session.corrected',
  'session.expired',
] as const;

/** The name of a session event. */
export type SessionEventName = (typeof SESSION_EVENT_NAMES)[number];

/** The version of the payloads: raised when a field is removed or changes its meaning, not when one is added. */
export const SESSION_EVENT_VERSION = 1;

/** A session without its lists, which may be long. */
export type SessionSummary = Omit<Session, 'participants' | 'recordings'>;

/** A participant of a session, with the one connection that an event is about. */
export interface SessionAttendance extends Omit<SessionParticipant, 'connections'> {
  connection: SessionConnection;
}

/** The payload of each session event, by its name. */
export interface SessionEventMap {
  /** A room was opened, and LiveKit has described it. */
  'session.started': { session: Session };
  /** Somebody who counts has connected; once per connection. */
  'session.participant_joined': { session: SessionSummary; participant: SessionAttendance };
  /** A connection of somebody who counts has ended; once per connection, unless an inferred leave is refuted. */
  'session.participant_left': { session: SessionSummary; participant: SessionAttendance };
  /** The room was closed; recordings may go on, and facts may still arrive. */
  'session.ended': { session: Session };
  /** The grace period is over and every recording has ended: bill on this one. */
  'session.settled': { session: Session };
  /**
   * A settled session has changed, or the announced id of any session has; `after` is `null` when it turned out to be a part of
   * another.
   */
  'session.corrected': { before: Session; after: Session | null };
  /** A session that was expected has not come. */
  'session.expired': { expectation: Expectation };
}

/** What every session event has besides its payload. */
export interface SessionEventEnvelope {
  /** The same id is the same event. */
  id: string;
  version: typeof SESSION_EVENT_VERSION;
  project: string;
  sessionId: string | null;
  /** When it happened, UTC milliseconds. */
  occurredAt: number;
}

/** A session event as listeners and handlers receive it. */
export type SessionEvent<N extends SessionEventName = SessionEventName> = N extends SessionEventName
  ? SessionEventEnvelope & SessionEventMap[N] & { name: N }
  : never;

/** The session that an event is about, in its payload. */
type Told = { session?: SessionSummary; before?: Session; after?: Session | null; expectation?: Expectation };

/** Decodes a logged session event. */
export function decodeSessionEvent({ eventId, name, source, occurredAt, body }: LoggedEvent): SessionEvent {
  const payload = JSON.parse(body.toString('utf8')) as Told;
  const { session, before, after, expectation } = payload;
  return {
    id: eventId,
    name,
    project: source,
    sessionId: (session ?? after ?? before ?? expectation)?.sessionId ?? null,
    occurredAt,
    ...payload,
  } as SessionEvent;
}

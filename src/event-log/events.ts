/**
 * Where an event of the log comes from: LiveKit's webhooks (`livekit`), the sessions made of them (`session`), LiveKit's
 * answers to our queries (`reconciled`), the host (`app`), or the outcome of deliveries (`delivery`).
 */
export type EventKind = 'livekit' | 'session' | 'reconciled' | 'app' | 'delivery';

/** The longest identifier that is stored, far longer than LiveKit's own (its sids and event ids have 15 characters). */
export const LONGEST_ID = 255;

/** The longest name of a room or a session that is stored, above LiveKit's default limit (256 characters); a longer one can't be indexed. */
export const LONGEST_NAME = 512;

/** The prefix of the ids of the host's own events in the log, which `ownId` strips. */
export const APP_ID = 'app:';

/** An event's id as its sender knows it. */
export const ownId = ({ kind, eventId }: Pick<NewEvent, 'kind' | 'eventId'>): string =>
  kind === 'app' ? eventId.slice(APP_ID.length) : eventId;

/** An event as it is appended. */
export interface NewEvent {
  /** The project it belongs to. With `eventId` it is the event's key: the same key is the same event. */
  source: string;
  eventId: string;
  kind: EventKind;
  name: string;
  roomSid: string | null;
  roomName: string | null;
  /** When it happened, according to its sender, UTC milliseconds. */
  occurredAt: number;
  /** When we received it, UTC milliseconds. */
  receivedAt: number;
  /** Hex. */
  bodySha256: string;
  body: Buffer;
  /** The span that appended it (W3C Trace Context); `null`: not traced. */
  traceparent: string | null;
}

/** An event as it is stored in the log. */
export interface LoggedEvent extends NewEvent {
  /** Its position in the log. With several writers, a lower one may be committed after a higher one. */
  seq: number;
}

/**
 * The outcome of an append: `accepted`: committed; `duplicate`: its key was stored with the same bytes; `conflict`: its
 * key was stored with other bytes, and the new ones go to quarantine; `too_old`: its key is not stored, and it lies at or
 * below the dedup floor, where a repeat can no longer be recognised, so it was not stored.
 */
export type AppendOutcome = 'accepted' | 'duplicate' | 'conflict' | 'too_old';

/** A batch of events that the store was given to append. */
export interface AppendedEvents {
  events: readonly NewEvent[];
  /** The outcome of each, in the same order; `null`: the store failed, and they are appended again, or refused. */
  outcomes: readonly AppendOutcome[] | null;
  /** Until its commit or failure, including the wait for SQLite's one writer. */
  milliseconds: number;
}

/** Bytes that carry a valid signature and yet can't be an event. */
export interface QuarantinedBody {
  source: string;
  /** Hex. */
  sha256: string;
  /** A short word: `invalid`, `conflict`. */
  reason: string;
  raw: Buffer;
  at: number;
}

/** The columns of `livekit_events e` that a header is made of. */
export const EVENT_COLUMNS =
  'e.seq, e.source, e.event_id, e.kind, e.name, e.room_sid, e.room_name, e.occurred_at, e.received_at, e.body_sha256, e.traceparent';

/** An event as either database returns it. */
export interface EventRow {
  seq: number | string;
  source: string;
  event_id: string;
  kind: EventKind;
  name: string;
  room_sid: string | null;
  room_name: string | null;
  occurred_at: number | string;
  received_at: number | string;
  body_sha256: string;
  traceparent: string | null;
}

/** An event without its bytes. */
export type EventHeader = Omit<LoggedEvent, 'body'>;

/** The header that a row holds. */
export const eventHeader = (row: EventRow): EventHeader => ({
  seq: Number(row.seq),
  source: row.source,
  eventId: row.event_id,
  kind: row.kind,
  name: row.name,
  roomSid: row.room_sid,
  roomName: row.room_name,
  occurredAt: Number(row.occurred_at),
  receivedAt: Number(row.received_at),
  bodySha256: row.body_sha256,
  traceparent: row.traceparent,
});

/** Where an event of the log comes from. */
export type EventKind = 'livekit';

/** An event as it is appended. */
export interface NewEvent {
  /** The project it belongs to. With `eventId` it is the event's key: the same key is the same event. */
  source: string;
  eventId: string;
  kind: EventKind;
  name: string;
  roomSid: string | null;
  roomName: string | null;
  /** When it happened by its sender's word, UTC milliseconds. */
  occurredAt: number;
  /** When we got it, UTC milliseconds. */
  receivedAt: number;
  /** Hex. */
  bodySha256: string;
  body: Buffer;
}

/** An event as it stands in the log. */
export interface LoggedEvent extends NewEvent {
  /** Its place in the log. With several writers a smaller one may be committed after a greater one. */
  seq: number;
}

/**
 * What became of an appended event: `accepted`: committed; `duplicate`: its key was there with the same bytes;
 * `conflict`: its key was there with other bytes, and these went to quarantine.
 */
export type AppendOutcome = 'accepted' | 'duplicate' | 'conflict';

/** Bytes that were signed rightly and yet can't be an event. */
export interface QuarantinedBody {
  source: string;
  /** Hex. */
  sha256: string;
  /** A short word: `invalid`, `conflict`. */
  reason: string;
  raw: Buffer;
  at: number;
}

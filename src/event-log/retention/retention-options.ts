const DAY = 86_400_000;

/** How long data is kept, milliseconds; `false` keeps it for ever. */
export interface RetentionOptions {
  /** The bytes of events, 30 days by default: after that an event can't be given to a handler any more. */
  bodies?: number | false | undefined;
  /** Deliveries that have ended, and their failed attempts, 30 days by default. Dead letters stay until replayed or dismissed. */
  deliveries?: number | false | undefined;
  /** What is left of events, 400 days by default: after that a repeat is answered `too_old`. */
  events?: number | false | undefined;
  /** Sessions that have ended, for ever by default. */
  sessions?: number | false | undefined;
}

/** `RetentionOptions` with every default filled in. */
export type RetentionSettings = Record<keyof RetentionOptions, number | false>;

/** How long data is kept by default. */
export const RETENTION_DEFAULTS: RetentionSettings = {
  bodies: 30 * DAY,
  deliveries: 30 * DAY,
  events: 400 * DAY,
  sessions: false,
};

/**
 * The shortest time that events may be kept, milliseconds: an event that first arrives when others of its time have been
 * pruned is taken for a repeat of one of them, so this must be longer than any sender or relay holds an event back.
 */
export const SHORTEST_EVENTS = DAY;

/** Injection token of the retention settings, `RETENTION_DEFAULTS` by default. */
export const RETENTION_SETTINGS = Symbol.for('nestjs-livekit-webhooks:retention-settings');

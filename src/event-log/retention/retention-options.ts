const DAY = 86_400_000;

/** How long what is kept, milliseconds; `false` keeps it for ever. */
export interface RetentionOptions {
  /** The bytes of events, 30 days by default: from there on an event can't be handed to anybody any more. */
  bodies?: number | false | undefined;
  /** Deliveries that have ended, and their failed attempts, 30 days by default. Dead letters stay until somebody sees to them. */
  deliveries?: number | false | undefined;
  /** What is left of events, 400 days by default: from there on a repeat is answered `too_old`. */
  events?: number | false | undefined;
  /** Sessions that have ended, for ever by default. */
  sessions?: number | false | undefined;
}

/** The same with nothing left open. */
export type RetentionSettings = Record<keyof RetentionOptions, number | false>;

/** What is kept how long by default. */
export const RETENTION_DEFAULTS: RetentionSettings = {
  bodies: 30 * DAY,
  deliveries: 30 * DAY,
  events: 400 * DAY,
  sessions: false,
};

/**
 * The shortest time that events may be kept, milliseconds: what comes for the first time when others of its time have been
 * pruned is taken for a repeat of one of them, so this must be longer than any sender or relay holds an event back.
 */
export const SHORTEST_EVENTS = DAY;

/** Where the settings are injected from; without them `RETENTION_DEFAULTS` hold. */
export const RETENTION_SETTINGS = Symbol.for('nestjs-livekit-webhooks:retention-settings');

import type { EventKind } from '../events.js';

/** Every state of a delivery. */
export const DELIVERY_STATES = [
  'pending',
  'running',
  'done',
  'dead',
  'discarded',
  'dismissed',
  'replayed',
  'retired',
] as const;

/**
 * The state of a delivery: `pending` (waits until it is due), `running`, `done`, `dead` (a dead letter), `discarded` (by
 * its handler, or because its event's bytes are gone), `dismissed` and `replayed` (dead before), `retired` (its handler
 * is gone).
 */
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One event on its way to one handler. */
export interface Delivery {
  id: number;
  handler: string;
  state: DeliveryState;
  /** How many times it has been tried. */
  attempt: number;
  /** How many times the event was replayed to this handler before: 0 the first time. */
  replay: number;
  /** When a pending delivery is due; `null`: it is not pending, or a dead letter blocks its room. */
  dueAt: Date | null;
  /** When it ended. */
  doneAt: Date | null;
  /** What the last attempt threw, with its stack. */
  error: string | null;
  event: {
    seq: number;
    id: string;
    kind: EventKind;
    name: string;
    project: string;
    roomSid: string | null;
    roomName: string | null;
    occurredAt: Date;
    receivedAt: Date;
    /** The span that appended it (W3C Trace Context); `null`: not traced. */
    traceparent: string | null;
  };
}

/** An attempt that failed. */
export interface FailedAttempt {
  /** From 1. */
  attempt: number;
  failedAt: Date;
  /** What was thrown, with its stack. */
  error: string;
}

/** Selects the deliveries for which all the given conditions hold. */
export interface DeliveryFilter {
  handler?: string | undefined;
  state?: DeliveryState | undefined;
  /** A room's sid or name. */
  room?: string | undefined;
}

/** Which deliveries to list, and how many. */
export interface DeliveryQuery extends DeliveryFilter {
  /** 1 to 500, 50 by default. */
  limit?: number | undefined;
  /** `nextCursor` of the page before; none, or `null`, for the first. */
  cursor?: string | null | undefined;
}

/** Which stored events a backfill gives to a handler. */
export interface BackfillStart {
  /** Those received since this time; by default all. */
  since?: Date | undefined;
  /** Those from this position in the log on. */
  fromSeq?: number | undefined;
}

/** A page of deliveries, newest first, and the cursor of the next page. */
export interface DeliveryPage {
  deliveries: Delivery[];
  nextCursor: string | null;
}

/** How far behind a handler is. */
export interface HandlerLag {
  handler: string;
  /** Pending deliveries, due or not. This count and the next two stop at 10,000. */
  pending: number;
  running: number;
  dead: number;
  /**
   * How long the oldest event that is due has been in the log, milliseconds; 0 when nothing is due. Looks at 10,000
   * deliveries at most, those that have been due the longest.
   */
  lag: number;
  paused: boolean;
  /** No process has had it for a week. */
  retired: boolean;
  /** How many events a backfill has yet to give it, at most. */
  backfilling: number;
}

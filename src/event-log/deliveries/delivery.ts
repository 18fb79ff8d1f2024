import type { EventKind } from '../events.js';

/**
 * Where a delivery is: `pending` (waits until it is due), `running`, `done`, `dead` (out of attempts), `discarded` (its
 * handler wanted no more of it), `dismissed` and `replayed` (dead, and somebody saw to it), `retired` (its handler is gone).
 */
export type DeliveryState =
  'pending' | 'running' | 'done' | 'dead' | 'discarded' | 'dismissed' | 'replayed' | 'retired';

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
] as const satisfies readonly DeliveryState[];

/** One event on its way to one handler. */
export interface Delivery {
  id: number;
  handler: string;
  state: DeliveryState;
  /** How often it has been tried. */
  attempt: number;
  /** How often the event was replayed to this handler before: 0 the first time. */
  replay: number;
  /** When it is due, of a pending one; `null`: it is not pending, or it waits for a dead letter of its room. */
  dueAt: Date | null;
  /** When it came to its end. */
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
    /** The span that appended it (W3C Trace Context); `null`: nobody traced. */
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

/** Which deliveries are meant. All of the given conditions must hold. */
export interface DeliveryFilter {
  handler?: string;
  state?: DeliveryState;
  /** A room's sid or name. */
  room?: string;
}

/** Which deliveries to list, and how many. */
export interface DeliveryQuery extends DeliveryFilter {
  /** 1 to 500, 50 by default. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string;
}

/** Some deliveries, the newest first, and where the next ones begin. */
export interface DeliveryPage {
  deliveries: Delivery[];
  nextCursor: string | null;
}

/** How far behind a handler is. */
export interface HandlerLag {
  handler: string;
  /** Deliveries that wait, due or not: 10,000 at most, as of the next two. What is more is not counted. */
  pending: number;
  running: number;
  dead: number;
  /**
   * How long the oldest event that is due has been in the log, milliseconds; 0 when nothing is due. Of 10,000 at most, those
   * that have been due the longest.
   */
  lag: number;
  paused: boolean;
  /** No process has had it for a week. */
  retired: boolean;
  /** Events that it has yet to be given by a backfill: the most that they can be. */
  backfilling: number;
}

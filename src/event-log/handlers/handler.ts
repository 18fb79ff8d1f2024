import type { EventKind, LoggedEvent } from '../events.js';
import type { BackoffOptions } from '../backoff.js';

/** How a durable handler is run. Every option has a default. */
export interface HandlerOptions {
  /** The name its deliveries are stored under, `Class.method` by default: set it, so that renaming code loses nothing. */
  name?: string | undefined;
  /**
   * Runs in a transaction (`manager`) that includes its acknowledgement, so its writes happen exactly once. On SQLite the
   * transaction has one second.
   */
  transactional?: boolean | undefined;
  /** Takes up to this many events at once, as an array. */
  batch?: number | undefined;
  /** `room`: runs the events of a room one at a time, in log order; later ones wait behind a retry. `none` by default. */
  ordering?: 'none' | 'room' | undefined;
  /** With `ordering: 'room'`: whether a room goes on after a dead letter (`continue`, the default) or waits (`block`). */
  onDeadLetter?: 'continue' | 'block' | undefined;
  /** How many runs may go on at once in this process: 10 by default, 1 for batches (a batch is one run). */
  concurrency?: number | undefined;
  /** How many attempts a delivery has before it is a dead letter, 20 by default. */
  maxAttempts?: number | undefined;
  /** How long to wait before the next attempt: by default 1 s, doubling up to 1 h; either way with jitter. */
  backoff?: BackoffOptions | ((attempt: number) => number) | undefined;
  /** How long a run may take, milliseconds, 30 s by default; then its `signal` is aborted and the attempt has failed. */
  timeout?: number | undefined;
  /** How long a delivery belongs to the process that runs it, milliseconds, 60 s by default; renewed during the run. */
  lease?: number | undefined;
  /** Whether a new handler also gets events that are already stored: all, or those received since a date. No by default. */
  backfill?: boolean | Date | undefined;
  /** Also handles facts that LiveKit reported when queried (`event.reconciled`, no `raw`). No by default. */
  includeReconciled?: boolean | undefined;
}

/** What a method is declared to handle; a decorator adds one to the method. */
export interface HandlerDeclaration {
  kind: EventKind;
  /** Event names of that kind; `*` is all of them. */
  names: readonly string[];
  options: HandlerOptions;
  /** Turns a logged event into what the method receives. */
  decode(event: LoggedEvent): unknown;
  /** Is not limited to the events of its kind that the host subscribes handlers to. */
  unfiltered?: boolean | undefined;
  /** Runs in the event store's own transactions, because its tables are ours. */
  internal?: boolean | undefined;
}

/** A handler found in the application, with every default filled in. */
export interface Handler {
  name: string;
  /** `Class.method`, for people. */
  where: string;
  /** `kind:name` of each event it handles; `kind:*` is all of a kind. */
  patterns: readonly string[];
  transactional: boolean;
  internal: boolean;
  /** Most events in a run; `null`: it takes a single event, not an array. */
  batch: number | null;
  ordered: boolean;
  blocking: boolean;
  concurrency: number;
  maxAttempts: number;
  /** Milliseconds to wait after this attempt (from 1), without jitter. */
  backoff(attempt: number): number;
  timeout: number;
  lease: number;
  /** Earliest receipt, UTC milliseconds, of the stored events that a new handler gets; `null`: it gets none. */
  backfillSince: number | null;
  decode(event: LoggedEvent): unknown;
  call(argument: unknown, context: unknown): unknown;
}

const DECLARATIONS = Symbol.for('nestjs-livekit-webhooks:handlers');

/** A decorator that adds a declaration to a method. */
export function declareHandler(declaration: HandlerDeclaration): MethodDecorator {
  return (_target, _key, descriptor) => {
    const method = descriptor.value as object;
    Reflect.defineMetadata(DECLARATIONS, [declaration, ...declarationsOf(method)], method);
  };
}

/** A method's declarations, in the order they are written in. */
export const declarationsOf = (method: object): readonly HandlerDeclaration[] =>
  (Reflect.getMetadata(DECLARATIONS, method) as HandlerDeclaration[] | undefined) ?? [];

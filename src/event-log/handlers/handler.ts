import type { EventKind, LoggedEvent } from '../events.js';
import type { BackoffOptions } from '../running/backoff.js';

/** How a durable handler is run. Every option has a default. */
export interface HandlerOptions {
  /** What its deliveries are filed under, `Class.method` by default: give one, so that renaming code loses nothing. */
  name?: string;
  /**
   * Runs in a transaction, given as `manager`, that its acknowledgement is part of: its writes happen exactly once. On
   * SQLite it has one second.
   */
  transactional?: boolean;
  /** Takes up to so many events at once, as an array. */
  batch?: number;
  /** `room`: the events of one room one at a time, in the order of the log; later ones wait behind a retry. `none` by default. */
  ordering?: 'none' | 'room';
  /** With `ordering: 'room'`: whether a room goes on after a dead letter (`continue` by default) or waits (`block`). */
  onDeadLetter?: 'continue' | 'block';
  /** How many runs of it go on at once in this process, 10 by default (a batch is one run, and one at a time by default). */
  concurrency?: number;
  /** How often a delivery is tried before it is a dead letter, 20 by default. */
  maxAttempts?: number;
  /** How long to wait before the next attempt: 1 s doubling up to 1 h, with jitter by default. */
  backoff?: BackoffOptions | ((attempt: number) => number);
  /** How long a run may take, milliseconds, 30 s by default; then its `signal` is aborted and the attempt has failed. */
  timeout?: number;
  /** For how long a delivery belongs to the process that runs it, milliseconds, 60 s by default; it is renewed while it runs. */
  lease?: number;
  /** Whether a new handler also hears of what is stored already: all of it, or what was received since a date. No by default. */
  backfill?: boolean | Date;
  /** Hears of facts that LiveKit told when it was asked, too (`event.reconciled`, no `raw`). No by default. */
  includeReconciled?: boolean;
}

/** What a method is declared to handle; a decorator adds one to the method. */
export interface HandlerDeclaration {
  kind: EventKind;
  /** Event names of that kind; `*` is all of them. */
  names: readonly string[];
  options: HandlerOptions;
  /** Makes what the method is given of a logged event. */
  decode(event: LoggedEvent): unknown;
  /** Hears of every event of its kind, whatever the host has narrowed the kind down to. */
  unfiltered?: boolean;
  /** Its transactions are the event store's own: its tables are ours. */
  internal?: boolean;
}

/** A handler found in the application, with every default in its place. */
export interface Handler {
  name: string;
  /** `Class.method`, for people. */
  where: string;
  /** `kind:name` of each event it hears of; `kind:*` is all of a kind. */
  patterns: readonly string[];
  transactional: boolean;
  internal: boolean;
  /** Events in a run; `null`: it takes one, not an array. */
  batch: number | null;
  ordered: boolean;
  blocking: boolean;
  concurrency: number;
  maxAttempts: number;
  /** Milliseconds before the attempt after this one (from 1), without jitter. */
  backoff(attempt: number): number;
  timeout: number;
  lease: number;
  /** UTC milliseconds from which a new handler hears of what is stored; `null`: not at all. */
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

/** What a method was declared to handle, in the order it is written in. */
export const declarationsOf = (method: object): readonly HandlerDeclaration[] =>
  (Reflect.getMetadata(DECLARATIONS, method) as HandlerDeclaration[] | undefined) ?? [];

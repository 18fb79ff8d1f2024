import { abandonable } from '../../database/abandonable.js';
import { ToldError } from '../../logging/told-error.js';

/**
 * Carries the ids of due deliveries to a process that has their handler. It decides nothing: state, attempts and due times
 * are in the store, and whatever an engine loses or repeats is settled there.
 */
export interface DeliveryEngine {
  /**
   * Begins to hand out what is carried for these handlers, and resumes by itself whenever its server is back; it does not
   * wait for a server that is down.
   */
  start(handlers: readonly EngineConsumer[], receive: ReceiveDelivery): void;
  /** Accepts ids; repeats do no harm. Rejects when the server has not confirmed that it has them. */
  carry(handler: string, ids: readonly number[]): Promise<void>;
  /** Rejects when the server can't be reached now. */
  check(): Promise<void>;
  /** Hands out nothing more, and disconnects from the server. Rejects when that could not be done cleanly. */
  stop(): Promise<void>;
}

/** A handler of this process. */
export interface EngineConsumer {
  handler: string;
  /** How many deliveries may be handed out whose `ReceiveDelivery` has not resolved. */
  atOnce: number;
}

/** Resolves once the store has claimed a delivery, or has refused to: the engine may then forget it. */
export type ReceiveDelivery = (handler: string, id: number) => Promise<void>;

/** What brings deliveries to the processes that run them: the `database` by itself, or an engine that a team operates already. */
export type DeliveryEngineOptions =
  | { type: 'database' }
  /** Redis, through BullMQ (peers `bullmq` and `ioredis`): `redis://…`. */
  | { type: 'bullmq'; url: string }
  /** NATS with JetStream (peers `@nats-io/transport-node` and `@nats-io/jetstream`): `nats://…`, or several servers of a cluster. */
  | { type: 'jetstream'; url: string };

/** How long a server may take to answer, milliseconds. */
export const ENGINE_PATIENCE = 5_000;

/** An engine's server can't be reached. */
export class DeliveryEngineError extends ToldError {
  override readonly name = 'DeliveryEngineError';
}

/** Runs a request to a server. @throws DeliveryEngineError when it does not answer in time. */
export const inTime = <T>(work: () => Promise<T>): Promise<T> =>
  abandonable(work, {
    limit: {
      after: ENGINE_PATIENCE,
      error: new DeliveryEngineError(`its server did not answer within ${ENGINE_PATIENCE} ms`),
    },
  });

/** A handler's name for queues and subjects: it has letters, digits, `_`, `-`, `.` and `:`, and they can't have the last two. */
export const engineToken = (handler: string): string => handler.replaceAll('.', '=').replaceAll(':', '+');

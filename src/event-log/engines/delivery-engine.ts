import { abandonable } from '../../database/abandonable.js';
import { ToldError } from '../../logging/told-error.js';

/**
 * Carries the ids of deliveries that are due to a process which has their handler. It decides nothing: state, attempts and
 * due times are in the store, and whatever an engine loses or repeats is settled there.
 */
export interface DeliveryEngine {
  /**
   * Begins to hand out what is carried for these handlers, and goes on by itself whenever its server is back; it does not
   * wait for a server that is not there.
   */
  start(handlers: readonly EngineConsumer[], receive: ReceiveDelivery): void;
  /** Takes ids on; repeats do no harm. Rejects when the server has not said that it has them. */
  carry(handler: string, ids: readonly number[]): Promise<void>;
  /** Rejects when the server can't be reached now. */
  check(): Promise<void>;
  /** Hands out nothing more, and lets go of the server. Rejects when it could not do so in order. */
  stop(): Promise<void>;
}

/** A handler of this process. */
export interface EngineConsumer {
  handler: string;
  /** How many deliveries may be handed out that have not been received to the end. */
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

/** Does what asks a server. @throws DeliveryEngineError when it does not answer. */
export const inTime = <T>(work: () => Promise<T>): Promise<T> =>
  abandonable(work, {
    limit: {
      after: ENGINE_PATIENCE,
      error: new DeliveryEngineError(`its server did not answer within ${ENGINE_PATIENCE} ms`),
    },
  });

/** What queues and subjects are named after a handler, whose name has letters, digits, `_`, `-`, `.` and `:`: the last two can't be. */
export const engineToken = (handler: string): string => handler.replaceAll('.', '=').replaceAll(':', '+');

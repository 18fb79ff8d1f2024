import type { EntityManager } from 'typeorm';

/** What a handler receives about the delivery, besides its event. */
export interface DeliveryContext {
  /** The delivery's id, as `Deliveries` lists it. */
  id: number;
  /** The handler's name. */
  handler: string;
  /** The same for every attempt and every replay: `source/eventId/handler`. Pass it to systems that must not act twice. */
  idempotencyKey: string;
  /** From 1. */
  attempt: number;
  maxAttempts: number;
  /** How many times it was replayed before: 0 the first time. */
  replay: number;
  /** Aborted when the run times out, when its lease is lost, and when the application stops: pass it to `fetch`. */
  signal: AbortSignal;
}

/** The `DeliveryContext` of a transactional handler. */
export interface TransactionalDeliveryContext extends DeliveryContext {
  /** Writes in the transaction that acknowledges the delivery: both are committed, or neither is. */
  manager: EntityManager;
}

/** What a batch handler receives besides its events. */
export interface BatchContext {
  handler: string;
  /** One per event, in the same order. */
  deliveries: readonly DeliveryContext[];
  signal: AbortSignal;
}

/** The `BatchContext` of a transactional batch handler. */
export interface TransactionalBatchContext extends BatchContext {
  /** Writes in the transaction that acknowledges the deliveries: all of them are committed, or none is. */
  manager: EntityManager;
}

/** The first argument of a method with these options: an event, or an array of events. */
export type HandlerArgument<E, O> = O extends { batch: number } ? E[] : E;

/** The second argument of a method with these options: its context. */
export type HandlerContext<O> = O extends { batch: number }
  ? O extends { transactional: true }
    ? TransactionalBatchContext
    : BatchContext
  : O extends { transactional: true }
    ? TransactionalDeliveryContext
    : DeliveryContext;

/** Decorates only methods that take this event and context. */
export type HandlerDecorator<E, O> = <
  T extends (event: HandlerArgument<E, O>, context: HandlerContext<O>) => unknown,
>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<T>,
) => void;

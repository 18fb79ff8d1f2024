import type { EntityManager } from 'typeorm';

/** What a handler is told of the delivery beside its event. */
export interface DeliveryContext {
  /** The delivery's id, as `Deliveries` lists it. */
  id: number;
  /** The handler's name. */
  handler: string;
  /** The same for every attempt and every replay: `source/eventId/handler`. Give it to whatever must not do a thing twice. */
  idempotencyKey: string;
  /** From 1. */
  attempt: number;
  maxAttempts: number;
  /** How often it was replayed before: 0 the first time. */
  replay: number;
  /** Aborted when the run has taken too long, when its lease is lost, and when the application stops: give it to `fetch`. */
  signal: AbortSignal;
}

/** The same for a transactional handler. */
export interface TransactionalDeliveryContext extends DeliveryContext {
  /** Writes in the transaction that acknowledges the delivery: both are committed, or neither is. */
  manager: EntityManager;
}

/** What a batch handler is told beside its events. */
export interface BatchContext {
  handler: string;
  /** One for each event, in their order. */
  deliveries: readonly DeliveryContext[];
  signal: AbortSignal;
}

/** The same for a transactional batch handler. */
export interface TransactionalBatchContext extends BatchContext {
  /** Writes in the transaction that acknowledges the deliveries: all is committed, or nothing is. */
  manager: EntityManager;
}

/** What a method with these options is given first: an event, or an array of them. */
export type HandlerArgument<E, O> = O extends { batch: number } ? E[] : E;

/** What it is given second. */
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

import type { OnApplicationShutdown } from '@nestjs/common';
import type { DeliveryContext } from '../event-log/handlers/context.js';
import { declareHandler, type HandlerOptions } from '../event-log/handlers/handler.js';
import { exponentialBackoff } from '../event-log/backoff.js';
import { type OutletEvent, toOutletEvent } from './cloud-event.js';
import type { PublishedEvents } from './event-patterns.js';
import type { OutletName, OutletStates } from './outlet-states.js';

/** An attempt to publish an event. */
export interface PublishAttempt {
  /** Aborted when time is up. */
  signal: AbortSignal;
  /** How long to wait for the next one if it fails, milliseconds; about a fifth more or less. */
  backoff: number;
}

/** Where an outlet publishes to. */
export interface Publisher {
  /**
   * Resolves when the target has taken the event.
   *
   * @throws what a handler may throw, including `FailDelivery` and `RetryAfter`.
   */
  publish(event: OutletEvent, attempt: PublishAttempt): Promise<void>;
  close(): Promise<void>;
}

/**
 * How the deliveries of every outlet run: about a day of attempts (300, five minutes apart at most) before a dead letter, and a
 * lease that another replica soon takes over; it is renewed while an attempt goes on.
 */
const DELIVERY = {
  ordering: 'room',
  maxAttempts: 300,
  backoff: { first: 1_000, longest: 300_000 },
  lease: 10_000,
} as const satisfies HandlerOptions;

const backoffAfter = exponentialBackoff(DELIVERY.backoff);

/** The handler name of an outlet, under which its deliveries are filed. */
export const handlerOfOutlet = (name: OutletName): string => `outlet.${name}`;

/** A provider whose durable handler publishes events, filed under `outlet.<name>`. */
export function createOutlet(
  name: OutletName,
  publisher: Publisher,
  { session, livekit }: PublishedEvents,
  states: OutletStates,
): object {
  const common = { options: { ...DELIVERY, name: handlerOfOutlet(name) }, decode: toOutletEvent };
  states.add(name);

  class Outlet implements OnApplicationShutdown {
    @declareHandler({ ...common, kind: 'session', names: session })
    @declareHandler({ ...common, kind: 'livekit', names: livekit })
    publish(event: OutletEvent, { attempt, signal }: DeliveryContext): Promise<void> {
      const backoff = backoffAfter(attempt);
      return states.watch(name, () => publisher.publish(event, { signal, backoff }));
    }

    // Not before: running deliveries have until the end of `onModuleDestroy` to finish.
    onApplicationShutdown(): Promise<void> {
      return publisher.close();
    }
  }

  return new Outlet();
}

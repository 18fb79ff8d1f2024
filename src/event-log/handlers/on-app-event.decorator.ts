import { declareHandler, type HandlerOptions } from './handler.js';
import type { HandlerDecorator } from './context.js';
import { type LoggedEvent, ownId } from '../events.js';

/** An event that the host has appended to the log. */
export interface AppEvent<T = unknown> {
  id: string;
  name: string;
  project: string;
  /** UTC milliseconds. */
  occurredAt: number;
  room: { sid: string | null; name: string | null };
  data: T;
}

/** The data of `delivery.dead`: a delivery that has become a dead letter. */
export interface DeadDelivery {
  deliveryId: number;
  handler: string;
  attempts: number;
  /** The first line of the last error. */
  error: string;
  event: { id: string; kind: string; name: string };
}

/** Decodes an event whose body is its data. */
function decodeAppEvent(event: LoggedEvent): AppEvent {
  return {
    id: ownId(event),
    name: event.name,
    project: event.source,
    occurredAt: event.occurredAt,
    room: { sid: event.roomSid, name: event.roomName },
    data: JSON.parse(event.body.toString('utf8')),
  };
}

/**
 * Handles an event of the host's own (`EventLog.append`, `appendIn`) durably: stored, retried, dead-lettered, replayable.
 *
 * @typeParam T the type of `data`, by default the one that the method declares. When you give it, options that change the
 * method's arguments (`batch`, `transactional`) must be given as `O`: TypeScript infers all type arguments or none.
 */
export function OnAppEvent<T = never, const O extends HandlerOptions = HandlerOptions>(
  names: string | readonly string[],
  options?: O,
): HandlerDecorator<AppEvent<T>, O> {
  return declareHandler({
    kind: 'app',
    names: [names].flat(),
    options: options ?? {},
    decode: decodeAppEvent,
  });
}

/** Handles events about deliveries: `delivery.dead`, a delivery that has become a dead letter. */
export function OnDeliveryEvent<const O extends HandlerOptions = HandlerOptions>(
  name: 'delivery.dead',
  options?: O,
): HandlerDecorator<AppEvent<DeadDelivery>, O> {
  return declareHandler({ kind: 'delivery', names: [name], options: options ?? {}, decode: decodeAppEvent });
}

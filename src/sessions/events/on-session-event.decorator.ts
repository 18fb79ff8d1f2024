import type { HandlerDecorator } from '../../event-log/handlers/context.js';
import { declareHandler, type HandlerOptions } from '../../event-log/handlers/handler.js';
import { decodeSessionEvent, type SessionEvent, type SessionEventName } from './session-events.js';

type EventsOf<N extends SessionEventName | '*'> = '*' extends N
  ? SessionEvent
  : SessionEvent<Exclude<N, '*'>>;

/**
 * Handles session events durably: stored, retried, dead-lettered, replayable. Takes a name, several, or `'*'`.
 *
 * ```ts
 * @OnSessionEvent('session.settled', { name: 'billing', transactional: true })
 * async bill(event: SessionEvent<'session.settled'>, { manager }: TransactionalDeliveryContext) {}
 * ```
 */
export function OnSessionEvent<
  const N extends SessionEventName | '*',
  const O extends HandlerOptions = HandlerOptions,
>(names: N | readonly N[], options?: O): HandlerDecorator<EventsOf<N>, O> {
  return declareHandler({
    kind: 'session',
    names: [names].flat() as string[],
    options: options ?? {},
    decode: decodeSessionEvent,
  });
}

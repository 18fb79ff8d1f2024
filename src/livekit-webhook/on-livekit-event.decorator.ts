import type { HandlerDecorator } from '../event-log/handlers/context.js';
import { declareHandler, type HandlerOptions } from '../event-log/handlers/handler.js';
import { decodeAnyEvent } from './decode-event.js';
import type {
  LivekitEvent,
  LivekitEventName,
  ReconciledEventName,
  ReconciledLivekitEvent,
} from './livekit-events.js';

type EventsOf<N extends LivekitEventName | '*'> = '*' extends N
  ? LivekitEvent
  : LivekitEvent<Exclude<N, '*'>>;

type ReconciledOf<N extends LivekitEventName | '*', O> = O extends { includeReconciled: true }
  ? ReconciledLivekitEvent<'*' extends N ? ReconciledEventName : Extract<N, ReconciledEventName>>
  : never;

/**
 * Handles LiveKit's events durably (stored, retried, dead-lettered, replayable), after the webhook has been answered. Takes
 * one name, several, or `'*'` for all that the module's `events` let through.
 *
 * ```ts
 * @OnLivekitEvent('egress_ended', { name: 'archive-recording' })
 * async archive(event: LivekitEvent<'egress_ended'>, delivery: DeliveryContext) {}
 * ```
 *
 * With `includeReconciled: true` it also receives events made from the answers of LiveKit's API: `ReconciledLivekitEvent`.
 */
export function OnLivekitEvent<
  const N extends LivekitEventName | '*',
  const O extends HandlerOptions = HandlerOptions,
>(names: N | readonly N[], options?: O): HandlerDecorator<EventsOf<N> | ReconciledOf<N, O>, O> {
  return declareHandler({
    kind: 'livekit',
    names: [names].flat() as string[],
    options: options ?? {},
    decode: decodeAnyEvent,
  });
}

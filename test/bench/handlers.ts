import { setTimeout as delay } from 'node:timers/promises';
import { type HandlerOptions, type LivekitEventName, OnLivekitEvent } from '../../dist/index.js';

/**
 * A provider with so many empty handlers, named `handler-0` and so on.
 *
 * @param waits as long as it waits for others, milliseconds.
 */
export function emptyHandlers(
  count: number,
  events: LivekitEventName | '*',
  options: HandlerOptions = {},
  waits = 0,
): new () => object {
  class Handlers {}
  for (let i = 0; i < count; i += 1) {
    const handle = waits === 0 ? async () => undefined : () => delay(waits); // each its own: it carries what it hears
    const descriptor = { configurable: true, value: handle };
    Object.defineProperty(Handlers.prototype, `handle${i}`, descriptor);
    OnLivekitEvent(events, { ...options, name: `handler-${i}` })(
      Handlers.prototype,
      `handle${i}`,
      descriptor,
    );
  }
  return Handlers;
}

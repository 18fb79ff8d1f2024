import { Inject, Injectable } from '@nestjs/common';
import { HandlerRegistry } from '../event-log/handlers/handler-registry.js';
import { DEFAULT_EVENTS, LIVEKIT_EVENT_NAMES } from './livekit-events.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from './settings.js';

/** Knows which of LiveKit's events listeners and handlers receive. */
@Injectable()
export class Subscriptions {
  private named: ReadonlySet<string> | undefined;

  constructor(
    @Inject(WEBHOOK_SETTINGS) private readonly settings: WebhookSettings,
    private readonly registry: HandlerRegistry,
  ) {}

  /** Whether listeners on the bus receive it: the option `events` decides, else the defaults and what handlers name. */
  listened(name: string): boolean {
    const { events } = this.settings;
    if (events !== undefined) return events === '*' || events.has(name);
    return (DEFAULT_EVENTS as readonly string[]).includes(name) || this.handled.has(name);
  }

  /** The outcome reported for an event that has been stored. */
  hearing(name: string): 'accepted' | 'unsubscribed' | 'unknown' {
    if (!(LIVEKIT_EVENT_NAMES as readonly string[]).includes(name)) return 'unknown';
    return this.listened(name) || this.handled.has('*') ? 'accepted' : 'unsubscribed';
  }

  private get handled(): ReadonlySet<string> {
    return (this.named ??= new Set(
      [...this.registry.handlers.values()]
        .filter(({ internal }) => !internal)
        .flatMap(({ patterns }) => patterns)
        .filter((pattern) => pattern.startsWith('livekit:'))
        .map((pattern) => pattern.slice('livekit:'.length)),
    ));
  }
}

import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { EventLog } from '../event-log/event-log.js';
import type { LoggedEvent } from '../event-log/events.js';
import { decodeEvent } from './decode-event.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from './settings.js';

/** The parts of EventEmitter2 that are used here. */
interface Emitter {
  emitAsync(name: string, event: unknown): Promise<unknown>;
  hasListeners(name: string): boolean;
  listenersAny(): unknown[];
}

/**
 * Tells the host's own event emitter of committed events, as `livekit.<event>`: live, best effort, in this process. The
 * host brings the emitter (`EventEmitterModule.forRoot()`) or does without.
 */
@Injectable()
export class WebhookBus implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger('LivekitWebhook');
  private forget: () => void = () => undefined;

  constructor(
    private readonly log: EventLog,
    private readonly moduleRef: ModuleRef,
    @Inject(WEBHOOK_SETTINGS) private readonly settings: WebhookSettings,
  ) {}

  async onModuleInit(): Promise<void> {
    const emitter = await this.hostEmitter();
    if (emitter === undefined) return;
    // After the answers: they are written in the turn of the event loop in which the commit is announced.
    this.forget = this.log.onCommitted((events) =>
      setImmediate(() => events.forEach((event) => void this.emit(emitter, event))),
    );
  }

  onModuleDestroy(): void {
    this.forget();
  }

  private async emit(emitter: Emitter, event: LoggedEvent): Promise<void> {
    const { subscribed } = this.settings;
    const name = `livekit.${event.name}`;
    if (subscribed !== '*' && !subscribed.has(event.name)) return;
    try {
      // Nothing is decoded that nobody hears; an emitter with wildcards leaves `onAny` out of `hasListeners`.
      if (!emitter.hasListeners(name) && emitter.listenersAny().length === 0) return;
      await emitter.emitAsync(name, decodeEvent(event)); // awaited, so that a rejection ends here and not the process
    } catch (error) {
      this.logger.error(
        `a listener of ${name} failed on event ${event.eventId}`,
        error instanceof Error ? error.stack : error,
      );
    }
  }

  private async hostEmitter(): Promise<Emitter | undefined> {
    try {
      const { EventEmitter2 } = await import('@nestjs/event-emitter');
      return this.moduleRef.get<Emitter>(EventEmitter2, { strict: false });
    } catch {
      return undefined; // not installed, or not imported
    }
  }
}

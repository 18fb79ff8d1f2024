import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { EventLog } from '../event-log/event-log.js';
import { HostEmitter } from '../event-log/host-emitter.js';
import { decodeEvent } from './decode-event.js';
import { Subscriptions } from './subscriptions.js';

/** Emits received events on the host's own event emitter, as `livekit.<event>`: live, best effort, in this process. */
@Injectable()
export class WebhookBus implements OnModuleInit, OnModuleDestroy {
  private forget: () => void = () => undefined;

  constructor(
    private readonly log: EventLog,
    private readonly emitter: HostEmitter,
    private readonly subscriptions: Subscriptions,
  ) {}

  onModuleInit(): void {
    this.forget = this.log.onCommitted((events) =>
      this.emitter.emitSoon(
        events
          .filter(({ kind, name }) => kind === 'livekit' && this.subscriptions.listened(name))
          .map((event) => ({ event, name: `livekit.${event.name}`, decode: decodeEvent })),
      ),
    );
  }

  onModuleDestroy(): void {
    this.forget();
  }
}

import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HostEmitter } from '../event-log/host-emitter.js';
import { decodeEvent } from './decode-event.js';
import { Subscriptions } from './subscriptions.js';

/** Emits received events on the host's own event emitter, as `livekit.<event>`: live, best effort, in this process. */
@Injectable()
export class WebhookBus implements OnModuleInit {
  constructor(
    private readonly emitter: HostEmitter,
    private readonly subscriptions: Subscriptions,
  ) {}

  onModuleInit(): void {
    this.emitter.relay((event) =>
      event.kind === 'livekit' && this.subscriptions.listened(event.name)
        ? { event, name: `livekit.${event.name}`, decode: decodeEvent }
        : undefined,
    );
  }
}

import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HostEmitter } from '../../event-log/host-emitter.js';
import { decodeSessionEvent } from './session-events.js';

/** Emits session events on the host's own event emitter, as `session.<event>`: live, best effort, in this process. */
@Injectable()
export class SessionBus implements OnModuleInit {
  constructor(private readonly emitter: HostEmitter) {}

  onModuleInit(): void {
    this.emitter.relay((event) =>
      event.kind === 'session' ? { event, name: event.name, decode: decodeSessionEvent } : undefined,
    );
  }
}

import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { EventLog } from '../../event-log/event-log.js';
import { HostEmitter } from '../../event-log/host-emitter.js';
import { decodeSessionEvent } from './session-events.js';

/** Emits session events on the host's own event emitter, as `session.<event>`: live, best effort, in this process. */
@Injectable()
export class SessionBus implements OnModuleInit, OnModuleDestroy {
  private forget: () => void = () => undefined;

  constructor(
    private readonly log: EventLog,
    private readonly emitter: HostEmitter,
  ) {}

  onModuleInit(): void {
    this.forget = this.log.onCommitted((events) =>
      this.emitter.emitSoon(
        events
          .filter(({ kind }) => kind === 'session')
          .map((event) => ({ event, name: event.name, decode: decodeSessionEvent })),
      ),
    );
  }

  onModuleDestroy(): void {
    this.forget();
  }
}

import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AsyncResource } from 'node:async_hooks';
import { errorFields } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';
import { inTraceOf } from '../tracing/trace-context.js';
import { EventLog } from './event-log.js';
import type { LoggedEvent } from './events.js';

/** The parts of EventEmitter2 that are used here. */
interface Emitter {
  emitAsync(name: string, event: unknown): Promise<unknown>;
  hasListeners(name: string): boolean;
  listenersAny(): unknown[];
}

/** An event to emit to listeners. */
export interface Emission {
  event: LoggedEvent;
  /** The name that they listen to. */
  name: string;
  /** Turns the event into what they receive. */
  decode(event: LoggedEvent): unknown;
}

/**
 * The host's own event emitter, if it has one (`EventEmitterModule.forRoot()`): it emits committed events live, best
 * effort, in this process.
 */
@Injectable()
export class HostEmitter implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Log('EventBus');
  private readonly ends: (() => void)[] = [];
  private emitter: Emitter | undefined;
  // Many requests share a commit: what one of them keeps in an `AsyncLocalStorage` (a tenant, a transaction) is not for
  // the listeners of another one's event.
  private readonly outsideRequests = new AsyncResource('livekit-webhooks:listeners');

  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly log: EventLog,
  ) {}

  async onModuleInit(): Promise<void> {
    this.emitter = await this.hosts();
  }

  onModuleDestroy(): void {
    for (const end of this.ends) end();
  }

  /** Emits committed events, as `emissionOf` says, until the application stops. */
  relay(emissionOf: (event: LoggedEvent) => Emission | undefined): void {
    const end = this.log.onCommitted((events) =>
      this.emitSoon(events.flatMap((event) => emissionOf(event) ?? [])),
    );
    this.ends.push(end);
  }

  // In the next turn of the event loop, after callers that wait for the commit have been answered.
  private emitSoon(emissions: readonly Emission[]): void {
    const { emitter } = this;
    if (emitter === undefined || emissions.length === 0) return;
    const emit = () =>
      emissions.forEach((emission) =>
        inTraceOf(emission.event.traceparent, () => void this.emit(emitter, emission)),
      );
    this.outsideRequests.runInAsyncScope(setImmediate, undefined, emit);
  }

  private async emit(emitter: Emitter, { event, name, decode }: Emission): Promise<void> {
    try {
      // An event without listeners is not decoded; an emitter with wildcards leaves `onAny` out of `hasListeners`.
      if (!emitter.hasListeners(name) && emitter.listenersAny().length === 0) return;
      await emitter.emitAsync(name, decode(event)); // awaited, so that a rejection ends here and not the process
    } catch (error) {
      this.logger.error('a listener failed', { event: name, id: event.eventId, ...errorFields(error) });
    }
  }

  private async hosts(): Promise<Emitter | undefined> {
    try {
      const { EventEmitter2 } = await import('@nestjs/event-emitter');
      return this.moduleRef.get<Emitter>(EventEmitter2, { strict: false });
    } catch {
      return undefined; // not installed, or not imported
    }
  }
}

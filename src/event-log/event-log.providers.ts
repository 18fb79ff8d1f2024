import type { Provider } from '@nestjs/common';
import { EventStore, type EventStoreOptions } from '../database/event-store.js';
import { APPEND_QUEUE_LIMITS } from './append-queue.js';
import { EVENT_LOG_LIMITS, EventLog } from './event-log.js';

/** Where the providers below find what the store is opened with. */
export const EVENT_STORE_OPTIONS = Symbol.for('nestjs-livekit-webhooks:event-store-options');

/** The event log and the store under it, for the module that accepts events. */
export const eventLogProviders: Provider[] = [
  {
    provide: EventStore,
    inject: [EVENT_STORE_OPTIONS],
    useFactory: (options: EventStoreOptions) => EventStore.open(options),
  },
  { provide: EVENT_LOG_LIMITS, useValue: APPEND_QUEUE_LIMITS },
  EventLog,
];

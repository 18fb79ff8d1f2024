import type { Provider } from '@nestjs/common';
import type { EventStoreOptions } from '../database/event-store-options.js';
import { EventStore } from '../database/event-store.js';
import { APPEND_QUEUE_LIMITS } from './append/append-queue.js';
import { EventAppender } from './append/event-appender.js';
import { Claims } from './claim/claims.js';
import { Leases } from './claim/leases.js';
import { Recovery } from './claim/recovery.js';
import { CLOCK, StoreClock, systemClock } from './clock.js';
import { Backlog } from './deliveries/backlog.js';
import { Deliveries } from './deliveries/deliveries.js';
import { Replays } from './deliveries/replay.js';
import { Dispatcher } from './engines/dispatcher.js';
import { EVENT_LOG_LIMITS, EventLog } from './event-log.js';
import { HandlerKeeper } from './handlers/handler-keeper.js';
import { HandlerRegistry } from './handlers/handler-registry.js';
import { HandlerTable } from './handlers/handler-table.js';
import { HostEmitter } from './host-emitter.js';
import { WebhookTimes } from './last-webhooks.js';
import { DeliveryRunner } from './loop/delivery-runner.js';
import { DeliveryTurns } from './loop/delivery-turns.js';
import { WakeUp } from './loop/wake-up.js';
import { Notifications } from './notifications.js';
import { DedupFloor } from './retention/dedup-floor.js';
import { Erasure } from './retention/erasure.js';
import { Retention } from './retention/retention.js';
import { Backfill } from './route/backfill.js';
import { Router } from './route/router.js';
import { DeliveryLog } from './run/delivery-log.js';
import { HandlerActivity } from './run/handler-activity.js';
import { HandlerRuns } from './run/handler-runs.js';
import { InFlight } from './run/in-flight.js';
import { Settlements } from './settle/settlements.js';
import { Timetable } from './timetable.js';

/** Injection token of the options that the store is opened with. */
export const EVENT_STORE_OPTIONS = Symbol.for('nestjs-livekit-webhooks:event-store-options');

/** The event log, the delivery of its events to handlers, and the store under both, for the module that accepts events. */
export const eventLogProviders: Provider[] = [
  {
    provide: EventStore,
    inject: [EVENT_STORE_OPTIONS],
    useFactory: (options: EventStoreOptions) => EventStore.open(options),
  },
  { provide: CLOCK, useValue: systemClock },
  { provide: EVENT_LOG_LIMITS, useValue: APPEND_QUEUE_LIMITS },
  Backfill,
  Backlog,
  Claims,
  DedupFloor,
  Deliveries,
  DeliveryRunner,
  DeliveryTurns,
  Dispatcher,
  Erasure,
  EventLog,
  DeliveryLog,
  HandlerActivity,
  HandlerKeeper,
  HandlerRegistry,
  HandlerRuns,
  HandlerTable,
  HostEmitter,
  EventAppender,
  InFlight,
  Leases,
  Notifications,
  Recovery,
  Replays,
  Retention,
  Router,
  Settlements,
  StoreClock,
  Timetable,
  WakeUp,
  WebhookTimes,
];

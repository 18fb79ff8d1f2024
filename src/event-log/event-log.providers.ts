import type { Provider } from '@nestjs/common';
import type { EventStoreOptions } from '../database/connections.js';
import { EventStore } from '../database/event-store.js';
import { APPEND_QUEUE_LIMITS } from './append/append-queue.js';
import { Backfill } from './deliveries/backfill.js';
import { Backlog } from './deliveries/backlog.js';
import { Claims } from './claims.js';
import { CLOCK, StoreClock, systemClock } from './clock.js';
import { Deliveries } from './deliveries/deliveries.js';
import { Replays } from './deliveries/replay.js';
import { DeliveryRunner } from './delivery-runner.js';
import { DeliveryTurns } from './delivery-turns.js';
import { EVENT_LOG_LIMITS, EventLog } from './event-log.js';
import { Dispatcher } from './dispatcher.js';
import { DeliveryLog } from './delivery-log.js';
import { HandlerActivity } from './handler-activity.js';
import { HandlerKeeper } from './handlers/handler-keeper.js';
import { HandlerRegistry } from './handlers/handler-registry.js';
import { HandlerTable } from './handlers/handler-table.js';
import { EventAppender } from './append/event-appender.js';
import { HostEmitter } from './host-emitter.js';
import { WebhookTimes } from './last-webhooks.js';
import { InFlight } from './running/in-flight.js';
import { Leases } from './running/leases.js';
import { Notifications } from './running/notifications.js';
import { Recovery } from './running/recovery.js';
import { DedupFloor } from './retention/dedup-floor.js';
import { Erasure } from './retention/erasure.js';
import { Retention } from './retention/retention.js';
import { Router } from './router.js';
import { HandlerRuns } from './handler-runs.js';
import { Settlements } from './settlements.js';
import { Timetable } from './running/timetable.js';
import { WakeUp } from './running/wake-up.js';

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

import { Module, type NestModule, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { EventStore } from '../database/event-store.js';
import { EventLog } from '../event-log/event-log.js';
import { EVENT_STORE_OPTIONS, eventLogProviders } from '../event-log/event-log.providers.js';
import type { SubscribedEvents } from '../event-log/handlers/build-handler.js';
import { HandlerActivity } from '../event-log/run/handler-activity.js';
import { HandlerRegistry, SUBSCRIBED_EVENTS } from '../event-log/handlers/handler-registry.js';
import { EventAppender } from '../event-log/append/event-appender.js';
import { HostEmitter } from '../event-log/host-emitter.js';
import { WebhookTimes } from '../event-log/last-webhooks.js';
import { Timetable } from '../event-log/timetable.js';
import { CLOCK, StoreClock } from '../event-log/clock.js';
import { Backlog } from '../event-log/deliveries/backlog.js';
import { Deliveries } from '../event-log/deliveries/deliveries.js';
import { DELIVERY_RUNNER_OPTIONS, DeliveryRunner } from '../event-log/loop/delivery-runner.js';
import { DELIVERY_ENGINE_OPTIONS, Dispatcher } from '../event-log/engines/dispatcher.js';
import { ROLE, type Role } from '../event-log/role.js';
import { Erasure } from '../event-log/retention/erasure.js';
import { RETENTION_SETTINGS } from '../event-log/retention/retention-options.js';
import { Retention } from '../event-log/retention/retention.js';
import { LivekitWebhookOptionsError } from './errors.js';
import { LivekitSignatureGuard } from './livekit-signature.guard.js';
import {
  LIVEKIT_WEBHOOK_OPTIONS,
  LivekitWebhookModuleClass,
  WEBHOOK_PATHS,
} from './livekit-webhook.module-definition.js';
import type { LivekitWebhookModuleOptions } from './livekit-webhook.options.js';
import { LOG_SETTINGS } from '../logging/log-options.js';
import { PROJECT_KEYS, projectKeys } from './project-keys.js';
import { MisdirectedWebhooks } from './misdirected-webhooks.js';
import { RawBodyReader } from './raw-body/raw-body.reader.js';
import { RawBodyRoutes } from './raw-body/raw-body.routes.js';
import { ReceiptLog } from './receipt-log.js';
import { ReceiptSpans } from './receipt-spans.js';
import { resolveSettings, WEBHOOK_SETTINGS, type WebhookSettings } from './settings.js';
import { Subscriptions } from './subscriptions.js';
import { WebhookAnswers } from './webhook-answers.js';
import { WebhookBus } from './webhook-bus.js';
import { WebhookExceptionFilter } from './webhook-exception.filter.js';
import { WebhookIntake } from './webhook-intake.js';
import { WebhookReceipts } from './webhook-receipts.js';

/**
 * Receives LiveKit's webhooks: verifies them, stores them in the event log before they are acknowledged, and emits them on
 * the host's event emitter. Import it once, with `forRoot` or `forRootAsync`; its exports are global.
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    {
      provide: WEBHOOK_SETTINGS,
      inject: [LIVEKIT_WEBHOOK_OPTIONS, WEBHOOK_PATHS, ROLE, ModulesContainer],
      useFactory: (
        options: LivekitWebhookModuleOptions,
        paths: string[],
        role: Role,
        modules: ModulesContainer,
      ) => {
        requireOneImport(modules); // before opening a store that the other import might hold
        return resolveSettings(options, paths, role);
      },
    },
    { provide: PROJECT_KEYS, inject: [WEBHOOK_SETTINGS], useFactory: projectKeys },
    {
      provide: EVENT_STORE_OPTIONS,
      inject: [WEBHOOK_SETTINGS],
      useFactory: ({ database }: WebhookSettings) => database,
    },
    {
      provide: SUBSCRIBED_EVENTS,
      inject: [WEBHOOK_SETTINGS],
      useFactory: ({ events }: WebhookSettings): SubscribedEvents =>
        new Map(events === undefined || events === '*' ? [] : [['livekit', events]]),
    },
    {
      provide: DELIVERY_RUNNER_OPTIONS,
      inject: [WEBHOOK_SETTINGS],
      useFactory: ({ deliveries }: WebhookSettings) => deliveries,
    },
    {
      provide: DELIVERY_ENGINE_OPTIONS,
      inject: [WEBHOOK_SETTINGS, ROLE],
      // An edge connects to no engine, and has nothing to report about it.
      useFactory: ({ deliveries }: WebhookSettings, role: Role) =>
        role === 'edge' ? { type: 'database' } : deliveries.engine,
    },
    {
      provide: RETENTION_SETTINGS,
      inject: [WEBHOOK_SETTINGS],
      useFactory: ({ retention }: WebhookSettings) => retention,
    },
    {
      provide: LOG_SETTINGS,
      inject: [WEBHOOK_SETTINGS],
      useFactory: ({ log }: WebhookSettings) => log,
    },
    ...eventLogProviders,
    LivekitSignatureGuard,
    MisdirectedWebhooks,
    RawBodyReader,
    RawBodyRoutes,
    ReceiptLog,
    ReceiptSpans,
    WebhookAnswers,
    WebhookBus,
    WebhookExceptionFilter,
    WebhookIntake,
    Subscriptions,
    WebhookReceipts,
  ],
  exports: [
    Backlog,
    Deliveries,
    DeliveryRunner,
    Dispatcher,
    Erasure,
    EventLog,
    EventStore,
    HandlerActivity,
    HandlerRegistry,
    HostEmitter,
    EventAppender,
    Retention,
    StoreClock,
    Timetable,
    WebhookReceipts,
    WebhookTimes,
    CLOCK,
    PROJECT_KEYS,
    ROLE,
  ],
})
export class LivekitWebhookModule extends LivekitWebhookModuleClass implements NestModule, OnModuleInit {
  constructor(private readonly rawBody: RawBodyRoutes) {
    super();
  }

  configure(): void {
    this.rawBody.beforeRoutes();
  }

  onModuleInit(): void {
    this.rawBody.afterRoutes();
  }
}

function requireOneImport(modules: ModulesContainer): void {
  const imports = [...modules.values()].filter(({ metatype }) => metatype === LivekitWebhookModule);
  if (imports.length === 1) return;
  throw new LivekitWebhookOptionsError(
    'forRoot',
    'was given twice: import the module once, and name several LiveKit projects in `projects`',
  );
}

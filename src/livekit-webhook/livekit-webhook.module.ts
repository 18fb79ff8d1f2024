import { Module, type NestModule, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { EventStore } from '../database/event-store.js';
import { EventLog } from '../event-log/event-log.js';
import { EVENT_STORE_OPTIONS, eventLogProviders } from '../event-log/event-log.providers.js';
import { CLOCK, systemClock } from './clock.js';
import { LivekitWebhookOptionsError } from './errors.js';
import { LivekitSignatureGuard } from './livekit-signature.guard.js';
import {
  LIVEKIT_WEBHOOK_OPTIONS,
  LivekitWebhookModuleClass,
  WEBHOOK_PATHS,
} from './livekit-webhook.module-definition.js';
import type { LivekitWebhookModuleOptions } from './livekit-webhook.options.js';
import { RawBodyReader } from './raw-body/raw-body.reader.js';
import { RawBodyRoutes } from './raw-body/raw-body.routes.js';
import { ReceiptLog } from './receipt-log.js';
import { resolveSettings, WEBHOOK_SETTINGS, type WebhookSettings } from './settings.js';
import { WebhookAnswers } from './webhook-answers.js';
import { WebhookBus } from './webhook-bus.js';
import { WebhookExceptionFilter } from './webhook-exception.filter.js';
import { WebhookIntake } from './webhook-intake.js';
import { WebhookReceipts } from './webhook-receipts.js';

/**
 * Receives LiveKit's webhooks: verifies them, stores them in the event log before they are acknowledged, and tells the
 * host's event emitter of them. Imported once, with `forRoot` or `forRootAsync`; what it exports is visible everywhere.
 */
@Module({
  providers: [
    {
      provide: WEBHOOK_SETTINGS,
      inject: [LIVEKIT_WEBHOOK_OPTIONS, WEBHOOK_PATHS, ModulesContainer],
      useFactory: (options: LivekitWebhookModuleOptions, paths: string[], modules: ModulesContainer) => {
        requireOneImport(modules); // before a store is opened, which the other import might hold
        return resolveSettings(options, paths);
      },
    },
    {
      provide: EVENT_STORE_OPTIONS,
      inject: [WEBHOOK_SETTINGS],
      useFactory: ({ database }: WebhookSettings) => database,
    },
    { provide: CLOCK, useValue: systemClock },
    ...eventLogProviders,
    LivekitSignatureGuard,
    RawBodyReader,
    RawBodyRoutes,
    ReceiptLog,
    WebhookAnswers,
    WebhookBus,
    WebhookExceptionFilter,
    WebhookIntake,
    WebhookReceipts,
  ],
  exports: [EventLog, EventStore, WebhookReceipts, CLOCK],
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

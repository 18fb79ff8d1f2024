export { EventStore, type EventStoreOptions } from './database/event-store.js';
export type { MigrationsMode } from './database/migrate.js';
export {
  DatabaseConfigurationError,
  DatabaseFileGoneError,
  DatabaseInUseError,
  PendingMigrationsError,
} from './database/errors.js';
export { AppendQueueFullError, StoreUnavailableError } from './event-log/errors.js';
export { CLOCK, type Clock } from './livekit-webhook/clock.js';
export { LivekitWebhookOptionsError } from './livekit-webhook/errors.js';
export {
  DEFAULT_EVENTS,
  LIVEKIT_EVENT_NAMES,
  type LivekitEvent,
  type LivekitEventEnvelope,
  type LivekitEventMap,
  type LivekitEventName,
} from './livekit-webhook/livekit-events.js';
export { LivekitSignatureGuard } from './livekit-webhook/livekit-signature.guard.js';
export { LivekitWebhookModule } from './livekit-webhook/livekit-webhook.module.js';
export {
  DEFAULT_WEBHOOK_PATH,
  type LivekitKey,
  type LivekitProject,
  type LivekitWebhookModuleExtras,
  type LivekitWebhookModuleOptions,
  type SignatureScheme,
} from './livekit-webhook/livekit-webhook.options.js';
export {
  type TimedWebhookReceipt,
  type WebhookObserver,
  type WebhookOutcome,
  type WebhookReceipt,
  WebhookReceipts,
} from './livekit-webhook/webhook-receipts.js';
export { MetricsModule } from './metrics/metrics.module.js';
export type { MetricsModuleOptions } from './metrics/metrics.options.js';
export { METRICS_REGISTRY } from './metrics/metrics.registry.js';
export type { FoldedSipCall as SipCall } from './sessions/facts/participants.js';
export type { Session, SessionConnection, SessionParticipant, SessionState } from './sessions/session.js';
export { SessionsModule } from './sessions/sessions.module.js';
export type { SessionsModuleOptions } from './sessions/sessions.options.js';
export { type SessionsFilter, type SessionsPage, SessionsService } from './sessions/sessions.service.js';

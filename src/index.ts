export type { EventStoreOptions } from './database/event-store-options.js';
export { EventStore } from './database/event-store.js';
export type { HandlerDataSource } from './database/postgres/handler-transactions.js';
export type { MigrationsMode } from './database/migrate.js';
export {
  DatabaseConfigurationError,
  DatabaseFileGoneError,
  DatabaseInUseError,
  DatabaseUnreachableError,
  HandlerDataSourceError,
  PendingMigrationsError,
  TransactionDeadlineError,
  TransactionEndError,
  TransactionLostError,
  TransactionOverError,
} from './database/errors.js';
export {
  HalfMovedStoreError,
  MovedStoreDiffersError,
  MoveRefusedError,
  StoreMovedError,
} from './database/moving/errors.js';
export {
  type MovedStore,
  type MoveOptions,
  type MoveProgress,
  moveStore,
  releaseStore,
} from './database/moving/move-store.js';
export {
  type AppEvent,
  type DeadDelivery,
  OnAppEvent,
  OnDeliveryEvent,
} from './event-log/handlers/on-app-event.decorator.js';
export type { BackoffOptions } from './event-log/backoff.js';
export { Deliveries } from './event-log/deliveries/deliveries.js';
export type {
  BackfillStart,
  Delivery,
  DeliveryFilter,
  DeliveryPage,
  DeliveryQuery,
  DeliveryState,
  FailedAttempt,
  HandlerLag,
} from './event-log/deliveries/delivery.js';
export { BearerTokenError } from './access/bearer-token.guard.js';
export {
  DeliveryNotFoundError,
  DeliveryRequestError,
  DeliveryStateError,
} from './event-log/deliveries/errors.js';
export type { DeliveryRunnerOptions } from './event-log/loop/delivery-runner.js';
export { type DeliveryEngineOptions } from './event-log/engines/delivery-engine.js';
export { EdgeRoleError, type Role } from './event-log/role.js';
export { EventLog } from './event-log/event-log.js';
export type { HostEventOptions } from './event-log/append/host-draft.js';
export type { AppendOutcome } from './event-log/events.js';
export type {
  BatchContext,
  DeliveryContext,
  TransactionalBatchContext,
  TransactionalDeliveryContext,
} from './event-log/handlers/context.js';
export { HandlerDeclarationError } from './event-log/handlers/errors.js';
export type { HandlerOptions } from './event-log/handlers/handler.js';
export { DiscardDelivery, FailDelivery, RetryAfter } from './event-log/handlers/outcomes.js';
export {
  type ErasedCounts,
  Erasure,
  ErasureError,
  type ErasureOptions,
} from './event-log/retention/erasure.js';
export type { RetentionOptions } from './event-log/retention/retention-options.js';
export { type PrunedCounts, Retention } from './event-log/retention/retention.js';
export { ApplicationStoppingError, DeliveryTimeoutError } from './event-log/run/handler-runs.js';
export { LeaseLostError } from './event-log/claim/lease.js';
export { MissingPeerError } from './optional-peer.js';
export { AppendQueueFullError, HostEventError, StoreUnavailableError } from './event-log/errors.js';
export { CLOCK, type Clock } from './event-log/clock.js';
export { LivekitWebhookOptionsError } from './livekit-webhook/errors.js';
export {
  DEFAULT_EVENTS,
  LIVEKIT_EVENT_NAMES,
  type LivekitEvent,
  type LivekitEventEnvelope,
  type LivekitEventMap,
  type LivekitEventName,
  RECONCILED_EVENT_NAMES,
  type ReconciledEventName,
  type ReconciledLivekitEvent,
} from './livekit-webhook/livekit-events.js';
export type { LogOptions } from './logging/log-options.js';
export { ToldError } from './logging/told-error.js';
export { OnLivekitEvent } from './livekit-webhook/on-livekit-event.decorator.js';
export { LivekitWebhookModule } from './livekit-webhook/livekit-webhook.module.js';
export {
  DEFAULT_WEBHOOK_PATH,
  type LivekitKey,
  type LivekitProject,
  type LivekitWebhookModuleExtras,
  type LivekitWebhookModuleOptions,
  type SignatureScheme,
} from './livekit-webhook/livekit-webhook.options.js';
export { MetricsOptionsError } from './metrics/errors.js';
export { MetricsModule } from './metrics/metrics.module.js';
export type { MetricsModuleOptions } from './metrics/metrics.options.js';
export { METRICS_REGISTRY } from './metrics/metrics.registry.js';
export { OutletError, OutletsOptionsError } from './outlets/errors.js';
export {
  type OutletName,
  type OutletObserver,
  type OutletState,
  OutletStates,
} from './outlets/outlet-states.js';
export { OutletsModule } from './outlets/outlets.module.js';
export type {
  JetstreamOutletOptions,
  OutletsModuleOptions,
  RedisOutletOptions,
  WebhookOutletOptions,
} from './outlets/outlets.options.js';
export {
  SessionNotFoundError,
  SessionRequestError,
  SessionRoomError,
  SessionsOptionsError,
} from './sessions/errors.js';
export { OnSessionEvent } from './sessions/events/on-session-event.decorator.js';
export {
  SESSION_EVENT_NAMES,
  SESSION_EVENT_VERSION,
  type SessionAttendance,
  type SessionEvent,
  type SessionEventEnvelope,
  type SessionEventMap,
  type SessionEventName,
  type SessionSummary,
} from './sessions/events/session-events.js';
export type { Expectation, ExpectationState } from './sessions/expectations/expectation.js';
export type { ExpectationsFilter, ExpectationsPage } from './sessions/expectations/expectations.js';
export type { ExpectOptions } from './sessions/expectations/expected-session.js';
export type {
  ConnectionFact,
  EgressFact,
  EgressFile as RecordedFile,
  EgressSegments as RecordedSegments,
  EgressStream as RecordedStream,
  RoomFact,
  RoomFacts,
} from './sessions/facts/facts.js';
export type { RuledDisposition } from './sessions/fold/disposition.js';
export type { FoldedSipCall as SipCall } from './sessions/fold/participants.js';
export type { CountedKind } from './sessions/fold/presence.js';
export type {
  AddedEvent,
  ReconciliationOutcome,
  ReconciliationRound,
} from './sessions/reconciliation/reconciliations.js';
export type { CreatedRoom, CreateRoomOptions, CreateTokenOptions } from './sessions/rooms/session-rooms.js';
export type { SessionsFilter } from './sessions/session-queries.js';
export type { RebuildOptions, RebuiltCounts, RebuiltRoom } from './sessions/projection/session-rebuild.js';
export {
  type DispositionSource,
  type Session,
  SESSION_STATES,
  type SessionConnection,
  type SessionParticipant,
  type SessionRecording,
  type SessionState,
  type UnmatchedCause,
} from './sessions/session.js';
export { SessionsModule } from './sessions/sessions.module.js';
export type { SessionsModuleExtras, SessionsModuleOptions } from './sessions/sessions.options.js';
export { type OfProject, type SessionsPage, SessionsService } from './sessions/sessions.service.js';

import { type DynamicModule, Module } from '@nestjs/common';
import { DueSessions } from './projection/due-sessions.js';
import { SessionAnnouncer } from './events/session-announcer.js';
import { SessionBus } from './events/session-bus.js';
import { ExpectationStore } from './expectations/expectation-store.js';
import { Expectations } from './expectations/expectations.js';
import { KnownRooms } from './reconciliation/known-rooms.js';
import { LivekitClients } from './reconciliation/livekit-clients.js';
import { Reconciler } from './reconciliation/reconciler.js';
import { Reconciliations } from './reconciliation/reconciliations.js';
import { Repairs } from './reconciliation/repairs.js';
import { RoomListings } from './reconciliation/room-listings.js';
import { SessionRooms } from './rooms/session-rooms.js';
import { SessionDispositions } from './projection/session-dispositions.js';
import { SessionKeeper } from './projection/session-keeper.js';
import { SessionNaming } from './projection/session-naming.js';
import { SessionProjection } from './projection/session-projection.js';
import { SessionRebuild } from './projection/session-rebuild.js';
import { SessionsErasure } from './retention/sessions-erasure.js';
import { SessionsRetention } from './retention/sessions-retention.js';
import { SESSIONS_OPTIONS, SessionsModuleClass } from './sessions.module-definition.js';
import {
  resolveSettings,
  SESSIONS_SETTINGS,
  type SessionsModuleExtras,
  type SessionsModuleOptions,
} from './sessions.options.js';
import { SessionsService } from './sessions.service.js';

/**
 * Makes sessions out of the events that `LivekitWebhookModule` stores, announces their changes, and answers queries about them.
 */
@Module({
  providers: [
    {
      provide: SESSIONS_SETTINGS,
      inject: [SESSIONS_OPTIONS],
      useFactory: (options: SessionsModuleOptions) => resolveSettings(options),
    },
    DueSessions,
    Expectations,
    ExpectationStore,
    KnownRooms,
    LivekitClients,
    Reconciler,
    Reconciliations,
    Repairs,
    RoomListings,
    SessionAnnouncer,
    SessionBus,
    SessionDispositions,
    SessionKeeper,
    SessionNaming,
    SessionProjection,
    SessionRebuild,
    SessionRooms,
    SessionsErasure,
    SessionsRetention,
    SessionsService,
  ],
  exports: [SessionsService, KnownRooms, LivekitClients, Reconciliations, RoomListings],
})
export class SessionsModule extends SessionsModuleClass {
  /** Without options, a room's name is its session's id, LiveKit is not asked, and there are no routes. */
  static override forRoot(options: SessionsModuleOptions & SessionsModuleExtras = {}): DynamicModule {
    return super.forRoot(options);
  }
}

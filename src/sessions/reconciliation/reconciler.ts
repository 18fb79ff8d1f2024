import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventStore } from '../../database/event-store.js';
import { CLOCK, type Clock, StoreClock } from '../../event-log/clock.js';
import { WebhookTimes } from '../../event-log/last-webhooks.js';
import { ROLE, type Role } from '../../event-log/role.js';
import { SessionsOptionsError } from '../errors.js';
import { SESSIONS_SETTINGS, type SessionsSettings } from '../sessions.options.js';
import { Duty } from './duty.js';
import { KnownRooms } from './known-rooms.js';
import { LivekitClients } from './livekit-clients.js';
import { ProjectReconciler } from './project-reconciler.js';
import { ReconciliationLoop } from './reconciliation-loop.js';
import { type ReconciliationRound, Reconciliations } from './reconciliations.js';
import { Repairs } from './repairs.js';
import { RoomListings } from './room-listings.js';

/** While the application runs, asks the LiveKit of every project, where it has an address, what webhooks have missed. */
@Injectable()
export class Reconciler implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly loops: readonly ReconciliationLoop[];

  constructor(
    clients: LivekitClients,
    known: KnownRooms,
    repairs: Repairs,
    rounds: Reconciliations,
    listings: RoomListings,
    webhooks: WebhookTimes,
    store: EventStore,
    storeClock: StoreClock,
    @Inject(CLOCK) clock: Clock,
    @Inject(SESSIONS_SETTINGS) { reconcileInterval }: SessionsSettings,
    @Inject(ROLE) private readonly role: Role,
  ) {
    this.loops = clients.all().map(
      (client) =>
        new ReconciliationLoop({
          client,
          known,
          webhooks,
          rounds,
          reconciler: new ProjectReconciler(client, listings, known, repairs, clock),
          duty: new Duty(store, storeClock, `reconciliation:${client.project}`),
          interval: reconcileInterval,
        }),
    );
  }

  onApplicationBootstrap(): void {
    if (this.role !== 'edge') for (const loop of this.loops) loop.start();
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  /**
   * Asks every LiveKit once, now, whichever replica's turn it is.
   *
   * @returns what was added, one round per project.
   * @throws SessionsOptionsError when no LiveKit has an address; the error of a LiveKit that failed.
   */
  async reconcileNow(): Promise<ReconciliationRound[]> {
    if (this.loops.length === 0) {
      throw new SessionsOptionsError(
        'livekitUrl',
        'is not given, and so there is nobody to ask: give it the address of LiveKit, such as `https://livekit.example.com`',
      );
    }
    return Promise.all(this.loops.map((loop) => loop.roundNow()));
  }
}

import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Gauge, Registry } from 'prom-client';
import { SessionsService } from '../sessions/sessions.service.js';
import { METRICS_REGISTRY } from './metrics.registry.js';

/** Tells how many sessions and participants are active, by what the store says: the same on every replica. */
@Injectable()
export class SessionMetrics implements OnModuleInit {
  constructor(
    private readonly moduleRef: ModuleRef,
    @Inject(METRICS_REGISTRY) private readonly registry: Registry,
  ) {}

  onModuleInit(): void {
    const sessions = this.sessions();
    if (sessions === undefined) return; // a host without SessionsModule
    const active = new Gauge({
      name: 'livekit_sessions_active',
      help: 'Sessions that have begun and not ended.',
      registers: [],
      async collect() {
        this.set(await sessions.activeCount());
      },
    });
    const participants = new Gauge({
      name: 'livekit_participants_active',
      help: 'Participants that are connected in active sessions, by kind.',
      labelNames: ['kind'],
      registers: [],
      async collect() {
        const counts = await sessions.activeParticipants();
        for (const [kind, count] of Object.entries(counts)) this.set({ kind }, count);
      },
    });
    this.registry.registerMetric(active);
    this.registry.registerMetric(participants as never);
  }

  private sessions(): SessionsService | undefined {
    try {
      return this.moduleRef.get(SessionsService, { strict: false });
    } catch {
      return undefined;
    }
  }
}

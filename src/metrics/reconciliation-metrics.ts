import { Inject, Injectable, type OnModuleInit, Optional } from '@nestjs/common';
import { PROJECT_KEYS, type ProjectKeys } from '../livekit-webhook/project-keys.js';
import { RECONCILED_EVENT_NAMES } from '../livekit-webhook/livekit-events.js';
import { LivekitClients } from '../sessions/reconciliation/livekit-clients.js';
import { RECONCILIATION_OUTCOMES, Reconciliations } from '../sessions/reconciliation/reconciliations.js';
import { Instruments } from './instruments.js';
import { LabelValues, MOST_PROJECTS } from './label-values.js';

/** Counts the rounds of reconciliation with LiveKit, and the events that webhooks had missed. */
@Injectable()
export class ReconciliationMetrics implements OnModuleInit {
  constructor(
    private readonly instruments: Instruments,
    @Inject(PROJECT_KEYS) private readonly projects: ProjectKeys,
    @Optional() private readonly reconciliations?: Reconciliations,
    @Optional() private readonly clients?: LivekitClients,
  ) {}

  onModuleInit(): void {
    if (this.reconciliations === undefined) return; // a host without SessionsModule
    const projects = new LabelValues(MOST_PROJECTS, this.projects.keys());
    const rounds = this.instruments.counter({
      name: 'livekit_reconciliation_rounds_total',
      help: 'Times that LiveKit was asked what webhooks have missed, by project and how it went.',
      labelNames: ['project', 'outcome'],
    });
    const repairs = this.instruments.counter({
      name: 'livekit_reconciliation_repairs_total',
      help: 'Events that webhooks had missed and that were added, by project and event.',
      labelNames: ['project', 'fact'],
    });
    const lost = this.instruments.counter({
      name: 'livekit_reconciliation_lost_egresses_total',
      help: 'Egresses that had not ended for all we know, and that LiveKit does not know any more, by project.',
      labelNames: ['project'],
    });
    // To Prometheus, a counter that appears at 1 has not risen: nobody would notice the first repair.
    for (const client of this.clients?.all() ?? []) {
      const project = projects.of(client.project);
      for (const outcome of RECONCILIATION_OUTCOMES) rounds.inc({ project, outcome }, 0);
      for (const fact of RECONCILED_EVENT_NAMES) repairs.inc({ project, fact }, 0);
      lost.inc({ project }, 0);
    }
    this.reconciliations.observe(({ outcome, added, lostEgresses, ...round }) => {
      const project = projects.of(round.project);
      rounds.inc({ project, outcome });
      for (const { name } of added) repairs.inc({ project, fact: name });
      if (lostEgresses.length > 0) lost.inc({ project }, lostEgresses.length);
    });
  }
}

import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { EventLog } from '../event-log/event-log.js';
import type { AppendedEvents } from '../event-log/events.js';
import { countEach, Instruments, type Observe } from './instruments.js';
import { sharedRead } from '../database/shared-read.js';

/** Events, up to the most that one commit may hold. */
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** Seconds, from what a fast disk takes to past the 2 s after which a waiting webhook is answered 503. */
const COMMIT_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Counts what this process appends to the log, and shows what waits to be appended. */
@Injectable()
export class AppendMetrics implements OnModuleInit {
  private readonly appended: Counter<'kind' | 'outcome'>;
  private readonly batchEvents: Observe<never>;
  private readonly commitSeconds: Observe<'outcome'>;

  constructor(
    instruments: Instruments,
    private readonly log: EventLog,
  ) {
    this.appended = instruments.counter({
      name: 'livekit_append_events_total',
      help: 'Events that were received, or appended by the host by themselves, by kind and what became of them.',
      labelNames: ['kind', 'outcome'],
    });
    this.batchEvents = instruments.histogram(
      { name: 'livekit_append_batch_events', help: 'Events in one commit.' },
      BATCH_BUCKETS,
    );
    this.commitSeconds = instruments.histogram(
      {
        name: 'livekit_append_commit_seconds',
        help: "How long a commit of events took, by how it went: committed or failed; with the wait for SQLite's one writer.",
        labelNames: ['outcome'],
      },
      COMMIT_BUCKETS,
    );
    instruments.gauge(
      { name: 'livekit_append_queue_depth', help: 'Events that wait for their commit.' },
      function () {
        this.set(log.depth);
      },
    );
    instruments.storeGauge(
      {
        name: 'livekit_quarantine_bodies',
        help: 'Bodies that could not be events, kept for somebody to look at.',
      },
      sharedRead(() => log.quarantinedCount()),
      (gauge, count) => gauge.set(count),
    );
  }

  onModuleInit(): void {
    this.log.onAppended((appended) => this.count(appended));
  }

  private count({ events, outcomes, milliseconds }: AppendedEvents): void {
    this.commitSeconds({ outcome: outcomes === null ? 'failed' : 'committed' }, milliseconds / 1000);
    if (outcomes === null) return;
    this.batchEvents({}, events.length);
    countEach(
      this.appended,
      events.map(({ kind }, index) => ({ kind, outcome: outcomes[index] as string })),
    );
  }
}

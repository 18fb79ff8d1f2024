import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { Counter } from 'prom-client';
import { CLOCK, type Clock } from '../event-log/clock.js';
import { ROLE, type Role } from '../event-log/role.js';
import { LIVEKIT_EVENT_NAMES } from '../livekit-webhook/livekit-events.js';
import { PROJECT_KEYS, type ProjectKeys } from '../livekit-webhook/project-keys.js';
import { SIGNATURE_FAILURE_REASONS } from '../livekit-webhook/signatures/signature.js';
import {
  type TimedWebhookReceipt,
  type WebhookOutcome,
  WebhookReceipts,
} from '../livekit-webhook/webhook-receipts.js';
import { sampledTraceId } from '../tracing/trace-context.js';
import { Instruments, type Observe } from './instruments.js';
import { LabelValues, MOST_PROJECTS, onlyOf } from './label-values.js';

/** Seconds, from half a millisecond to past the 2 s after which a delivery is answered 503. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Seconds, from one, the resolution of LiveKit's times, to past the 30 s after which it drops what is queued. */
const LAG_BUCKETS = [1, 2, 3, 5, 10, 15, 30, 60, 300, 3600];

/** Bytes, from the smallest event to past the limit of a body. */
const BODY_BUCKETS = [512, 1_024, 2_048, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

/** The outcomes of webhooks that LiveKit never resends, although nothing is wrong with their signature. */
const LOST_UNREAD = [
  'too_large',
  'unsupported_encoding',
  'host_answered',
] as const satisfies readonly WebhookOutcome[];

/** How many requests are counted at once: one by one, prom-client's bookkeeping would cost each several times as much. */
const AT_ONCE = 256;

/** The figures of a request that are counted. */
interface Figures {
  outcome: WebhookOutcome;
  reason: string | undefined;
  project: string | undefined;
  event: string | undefined;
  receivedAt: number;
  occurredAt: number;
  seconds: number;
  bytes: number | undefined;
  trace: string;
}

/** Counts the requests to the webhook paths, many at once, and all of them before every scrape. */
@Injectable()
export class WebhookMetrics implements OnModuleInit {
  private readonly requests: Counter<'project' | 'event' | 'outcome'>;
  private readonly signatureFailures: Counter<'reason'>;
  private readonly receiveSeconds: Observe<'outcome'>;
  private readonly lagSeconds: Observe<'event'>;
  private readonly bodyBytes: Observe<never>;
  private readonly projects: LabelValues;
  /** When the last event of each project arrived, UTC milliseconds. */
  private readonly lastEventAt = new Map<string, number>();
  private readonly events = onlyOf(LIVEKIT_EVENT_NAMES);
  private uncounted: Figures[] = [];

  constructor(
    instruments: Instruments,
    private readonly receipts: WebhookReceipts,
    @Inject(PROJECT_KEYS) projects: ProjectKeys,
    @Inject(CLOCK) clock: Clock,
    @Inject(ROLE) role: Role,
  ) {
    this.projects = new LabelValues(MOST_PROJECTS, projects.keys());
    const countAll = () => this.countAll();
    this.requests = instruments.counter(
      {
        name: 'livekit_webhook_requests_total',
        help: 'Requests to the webhook paths, by project, event and what became of them.',
        labelNames: ['project', 'event', 'outcome'],
      },
      countAll,
    );
    this.signatureFailures = instruments.counter(
      {
        name: 'livekit_webhook_signature_failures_total',
        help: 'Requests answered 401, by the reason.',
        labelNames: ['reason'],
      },
      countAll,
    );
    this.receiveSeconds = instruments.histogram(
      {
        name: 'livekit_webhook_receive_seconds',
        help: "From a request's head to its answer, by what became of it.",
        labelNames: ['outcome'],
      },
      LATENCY_BUCKETS,
      countAll,
    );
    this.lagSeconds = instruments.histogram(
      {
        name: 'livekit_webhook_lag_seconds',
        help: 'From the time LiveKit gives an event (whole seconds) to its arrival, by event.',
        labelNames: ['event'],
      },
      LAG_BUCKETS,
      countAll,
    );
    this.bodyBytes = instruments.histogram(
      { name: 'livekit_webhook_body_bytes', help: 'The sizes of the bodies that were read.' },
      BODY_BUCKETS,
      countAll,
    );
    const { lastEventAt } = this;
    instruments.gauge(
      {
        name: 'livekit_webhook_last_event_timestamp_seconds',
        help: 'When the last verified event came, by project; until one has, when this process began.',
        labelNames: ['project'],
      },
      function () {
        countAll();
        for (const [project, at] of lastEventAt) this.set({ project }, at / 1000);
      },
    );
    const names = [...projects.keys()].map((project) => this.projects.of(project));
    this.beginAtZero(names);
    // A worker receives nothing: its start says nothing about how long LiveKit has been silent.
    if (role !== 'worker') for (const project of names) this.lastEventAt.set(project, clock.now());
  }

  onModuleInit(): void {
    this.receipts.observe((receipt) => {
      this.uncounted.push(figuresOf(receipt));
      if (this.uncounted.length >= AT_ONCE) this.countAll();
    });
  }

  // To Prometheus, a counter that appears at 1 has not risen: nobody would notice the first event that is lost.
  private beginAtZero(projects: readonly string[]): void {
    for (const reason of SIGNATURE_FAILURE_REASONS) this.signatureFailures.inc({ reason }, 0);
    for (const outcome of LOST_UNREAD) this.requests.inc({ project: 'none', event: 'none', outcome }, 0);
    for (const project of projects) this.requests.inc({ project, event: 'none', outcome: 'invalid' }, 0);
  }

  private countAll(): void {
    for (const figures of this.uncounted.splice(0)) this.count(figures);
  }

  private count({ outcome, reason, receivedAt, occurredAt, seconds, bytes, trace, ...of }: Figures): void {
    const project = of.project === undefined ? 'none' : this.projects.of(of.project);
    const event = of.event === undefined ? 'none' : this.events.of(of.event);
    this.requests.inc({ project, event, outcome });
    if (outcome === 'unauthorized') this.signatureFailures.inc({ reason: reason ?? 'none' });
    this.receiveSeconds({ outcome }, seconds, trace);
    if (bytes !== undefined) this.bodyBytes({}, bytes, trace);
    if (of.event === undefined) return;
    if (of.project !== undefined) this.lastEventAt.set(project, receivedAt);
    this.lagSeconds({ event }, Math.max(0, receivedAt - occurredAt) / 1000, trace);
  }
}

const figuresOf = ({ delivery, outcome, reason, milliseconds }: TimedWebhookReceipt): Figures => ({
  outcome,
  reason,
  project: delivery.project,
  event: delivery.event?.name,
  receivedAt: delivery.receivedAt,
  occurredAt: delivery.event?.occurredAt ?? 0,
  seconds: milliseconds / 1000,
  bytes: delivery.body?.length,
  trace: sampledTraceId() ?? '',
});

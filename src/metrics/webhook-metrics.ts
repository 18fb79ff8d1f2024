import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Counter, Histogram, Registry } from 'prom-client';
import { LIVEKIT_EVENT_NAMES } from '../livekit-webhook/livekit-events.js';
import { type TimedWebhookReceipt, WebhookReceipts } from '../livekit-webhook/webhook-receipts.js';
import { METRICS_REGISTRY } from './metrics.registry.js';

/** From a tenth of a millisecond to past the 2 s after which a delivery is answered 503. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** From a second, which is as fine as LiveKit tells, to past the 30 s after which it drops what is queued. */
const LAG_BUCKETS = [1, 2, 3, 5, 10, 15, 30, 60, 300, 3600];

/** Counts the requests to the webhook paths. */
@Injectable()
export class WebhookMetrics implements OnModuleInit, OnModuleDestroy {
  private forget: () => void = () => undefined;
  private readonly requests: Counter<'project' | 'event' | 'outcome'>;
  private readonly signatureFailures: Counter<'reason'>;
  private readonly receiveSeconds: Histogram<'outcome'>;
  private readonly lagSeconds: Histogram<'event'>;

  constructor(
    private readonly receipts: WebhookReceipts,
    @Inject(METRICS_REGISTRY) registry: Registry,
  ) {
    const registers = [registry];
    this.requests = new Counter({
      name: 'livekit_webhook_requests_total',
      help: 'Requests to the webhook paths, by project, event and what became of them.',
      labelNames: ['project', 'event', 'outcome'],
      registers,
    });
    this.signatureFailures = new Counter({
      name: 'livekit_webhook_signature_failures_total',
      help: 'Requests answered 401, by the reason.',
      labelNames: ['reason'],
      registers,
    });
    this.receiveSeconds = new Histogram({
      name: 'livekit_webhook_receive_seconds',
      help: "From a request's head to its answer.",
      labelNames: ['outcome'],
      buckets: LATENCY_BUCKETS,
      registers,
    });
    this.lagSeconds = new Histogram({
      name: 'livekit_webhook_lag_seconds',
      help: 'From the time LiveKit gives an event (whole seconds) to its arrival.',
      labelNames: ['event'],
      buckets: LAG_BUCKETS,
      registers,
    });
  }

  onModuleInit(): void {
    this.forget = this.receipts.observe((receipt) => this.count(receipt));
  }

  onModuleDestroy(): void {
    this.forget();
  }

  private count({ delivery, outcome, reason, milliseconds }: TimedWebhookReceipt): void {
    const event = eventLabel(delivery.event?.name);
    this.requests.inc({ project: delivery.project ?? 'none', event, outcome });
    if (outcome === 'unauthorized') this.signatureFailures.inc({ reason: reason ?? 'none' });
    this.receiveSeconds.observe({ outcome }, milliseconds / 1000);
    if (delivery.event !== undefined) {
      this.lagSeconds.observe({ event }, Math.max(0, delivery.receivedAt - delivery.event.occurredAt) / 1000);
    }
  }
}

// Labels must not grow with what is sent: an event name that nobody knows is `other`.
const eventLabel = (name: string | undefined): string =>
  name === undefined ? 'none' : (LIVEKIT_EVENT_NAMES as readonly string[]).includes(name) ? name : 'other';

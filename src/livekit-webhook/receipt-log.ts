import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Level } from '../logging/log-lines.js';
import { LOG_SETTINGS, type LogSettings } from '../logging/log-options.js';
import { Log } from '../logging/log.js';
import { outsideSpans } from '../tracing/spans.js';
import { isSampled, traceIdOf } from '../tracing/trace-context.js';
import { type TimedWebhookReceipt, type WebhookOutcome, WebhookReceipts } from './webhook-receipts.js';

/** The level of an outcome: a warning for what is lost or wrong, an error for what a human must fix. */
const LEVELS: Partial<Record<WebhookOutcome, 'warn' | 'error'>> = {
  conflict: 'warn',
  too_old: 'warn',
  invalid: 'warn',
  unauthorized: 'warn',
  method_not_allowed: 'warn',
  too_large: 'warn',
  unsupported_encoding: 'warn',
  unfinished: 'warn',
  cut_off: 'warn',
  queue_full: 'error',
  unread: 'error',
  store_failed: 'error',
  store_slow: 'error',
  store_closed: 'warn',
  host_refused: 'error',
  host_answered: 'error',
  failed: 'error',
};

/** Writes one line for every request to a webhook path; successful ones may be sampled by room. */
@Injectable()
export class ReceiptLog implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Log('LivekitWebhook');
  /** Receipts of requests answered together: writing their lines together halves the cost of each. */
  private readonly unwritten: TimedWebhookReceipt[] = [];

  constructor(
    private readonly receipts: WebhookReceipts,
    @Inject(LOG_SETTINGS) private readonly settings: LogSettings,
  ) {}

  onModuleInit(): void {
    this.receipts.observe((receipt) => this.hear(receipt));
  }

  onModuleDestroy(): void {
    this.writeAll();
  }

  private hear(receipt: TimedWebhookReceipt): void {
    const { outcome, delivery } = receipt;
    const level = levelOf(outcome);
    if (!this.settings.writes(level)) return;
    if (level === 'log' && !this.settings.samples(delivery.event?.roomName ?? delivery.event?.id ?? ''))
      return;
    // A host's logger may read the active span.
    if (level === 'error' || isSampled(delivery.traceparent)) return this.write(receipt);
    if (this.unwritten.push(receipt) === 1) process.nextTick(() => outsideSpans(() => this.writeAll()));
  }

  private writeAll(): void {
    for (const receipt of this.unwritten.splice(0)) this.write(receipt);
  }

  private write({ delivery, outcome, status, reason, detail, milliseconds }: TimedWebhookReceipt): void {
    const { event, project, scheme, traceparent } = delivery;
    this.logger.write(levelOf(outcome), 'webhook', {
      outcome,
      event: event?.name,
      id: event?.id,
      room: event?.roomName,
      project,
      scheme,
      status,
      reason,
      detail,
      milliseconds: Math.round(milliseconds * 10) / 10,
      traceId: traceIdOf(traceparent),
    });
  }
}

const levelOf = (outcome: WebhookOutcome): Level => LEVELS[outcome] ?? 'log';

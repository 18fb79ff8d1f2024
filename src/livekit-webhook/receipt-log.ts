import { inspect } from 'node:util';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { traceIdOf, traceparentOf } from '../tracing/trace-context.js';
import { type TimedWebhookReceipt, type WebhookOutcome, WebhookReceipts } from './webhook-receipts.js';

/** How loud an outcome is: what is lost or wrong is a warning, what a human must mend an error. */
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
  failed: 'error',
};

/** Writes one structured line for every request to a webhook path: identifiers and figures, never contents. */
@Injectable()
export class ReceiptLog implements OnModuleInit {
  private readonly logger = new Logger('LivekitWebhook');

  constructor(private readonly receipts: WebhookReceipts) {}

  onModuleInit(): void {
    this.receipts.observe((receipt) => this.logger[LEVELS[receipt.outcome] ?? 'log'](receiptLine(receipt)));
  }
}

/** The fields of a request's log line; what is not known is left out. */
export function receiptLine({
  delivery,
  outcome,
  status,
  reason,
  detail,
  milliseconds,
}: TimedWebhookReceipt): LogFields {
  const { event, project, scheme } = delivery;
  const line: Record<string, string | number | null | undefined> = {
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
    traceId: traceIdOf(traceparentOf(delivery.span)),
  };
  return new LogFields(Object.fromEntries(Object.entries(line).filter(([, value]) => value != null)));
}

/** Fields for a structured logger; one that prints objects for people (Nest's own) gets them on one line. */
class LogFields {
  constructor(fields: Record<string, unknown>) {
    Object.assign(this, fields);
  }

  [inspect.custom](): string {
    return inspect({ ...this }, { breakLength: Infinity, compact: true });
  }
}

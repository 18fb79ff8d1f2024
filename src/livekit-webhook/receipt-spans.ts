import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { addToSpan, endSpan, inSpan, type Span, SpanKind, startSpan, under } from '../tracing/spans.js';
import { traceparentOf } from '../tracing/trace-context.js';
import type { WebhookDelivery } from './raw-body/delivery.js';
import { type WebhookReceipt, WebhookReceipts } from './webhook-receipts.js';

/** Starts the span of a request to a webhook path, by OpenTelemetry's semantic conventions for HTTP servers. */
export const startReceipt = ({ method = '' }: IncomingMessage, path: string): Span =>
  startSpan(`${method} ${path}`, {
    kind: SpanKind.SERVER,
    attributes: { 'http.request.method': method, 'http.route': path },
  });

/** Starts the span in which an event is written to the log, the parent of everything that follows from the event. */
const startAppend = ({ span, event, project }: WebhookDelivery): Span =>
  startSpan('send livekit_events', {
    kind: SpanKind.PRODUCER,
    ...(span && { parent: under(span) }),
    attributes: {
      'messaging.system': 'livekit_webhooks',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'send',
      'messaging.destination.name': 'livekit_events',
      ...(event && { 'messaging.message.id': event.id, 'livekit.event': event.name }),
      ...(project && { 'livekit.project': project }),
    },
  });

/**
 * Appends in a span of its own, or in that of the request when it is not recorded.
 *
 * @param append receives the `traceparent` of the span that is the parent of what follows from the event; `null` without
 * tracing.
 */
export function inAppendSpan<T>(
  delivery: WebhookDelivery,
  append: (traceparent: string | null) => Promise<T>,
): Promise<T> {
  const { span, traceparent = null } = delivery;
  if (span?.isRecording() === false) return append(traceparent);
  return inSpan(startAppend(delivery), (appending) => append(traceparentOf(appending)));
}

/** Ends the span of every request to a webhook path with its outcome. */
@Injectable()
export class ReceiptSpans implements OnModuleInit {
  constructor(private readonly receipts: WebhookReceipts) {}

  onModuleInit(): void {
    this.receipts.observe(end);
  }
}

function end({ delivery: { span }, outcome, status, reason }: WebhookReceipt): void {
  if (span?.isRecording() !== true) return span?.end();
  addToSpan(span, 'livekit.webhook.outcome', outcome);
  if (reason !== undefined) addToSpan(span, 'livekit.webhook.reason', reason);
  if (status !== null) addToSpan(span, 'http.response.status_code', status);
  endSpan(span, status === null || status >= 500 ? String(status ?? outcome) : undefined);
}

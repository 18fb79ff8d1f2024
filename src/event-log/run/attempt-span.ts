import { type Context, type Link, ROOT_CONTEXT } from '@opentelemetry/api';
import { type Span, SpanKind, startSpan } from '../../tracing/spans.js';
import { contextOf, linksTo } from '../../tracing/trace-context.js';
import type { ClaimedDelivery } from '../claim/claims.js';
import type { LoggedEvent } from '../events.js';

type Attempted = ClaimedDelivery & { event: LoggedEvent };

/**
 * Begins the span of an attempt, by OpenTelemetry's semantic conventions for messaging. It is a child of the span that
 * appended its event, and linked to the previous attempt; that of a batch is a trace of its own, linked to every event.
 */
export function startAttempt(deliveries: readonly Attempted[]): Span {
  const [first] = deliveries as [Attempted];
  const { handler } = first;
  const isBatch = handler.batch !== null;
  return startSpan(`process ${handler.name}`, {
    kind: SpanKind.CONSUMER,
    ...(isBatch ? placeOfBatch(deliveries) : placeOfOne(first)),
    attributes: {
      'messaging.system': 'livekit_webhooks',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': 'livekit_events',
      'messaging.consumer.group.name': handler.name,
      ...(isBatch ? { 'messaging.batch.message_count': deliveries.length } : attributesOf(first)),
    },
  });
}

interface Place {
  parent: Context;
  links: Link[];
}

const placeOfOne = ({ event, traceparent }: Attempted): Place => ({
  parent: contextOf(event.traceparent),
  links: linksTo([traceparent]),
});

const placeOfBatch = (deliveries: readonly Attempted[]): Place => ({
  parent: ROOT_CONTEXT,
  links: linksTo(deliveries.flatMap(({ event, traceparent }) => [event.traceparent, traceparent])),
});

const attributesOf = ({ id, attempt, replay, event }: Attempted) => ({
  'messaging.message.id': event.eventId,
  'livekit.event': event.name,
  'livekit.project': event.source,
  'livekit.delivery.id': id,
  'livekit.delivery.attempt': attempt,
  'livekit.delivery.replay': replay,
});

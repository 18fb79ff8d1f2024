import type { AttributeValue } from '@opentelemetry/api';

/**
 * Every attribute that our spans may have (`docs/tracing.md` says which span has which): none holds a room's name, an
 * identity, a number, a token or a body.
 */
export const SPAN_ATTRIBUTES = [
  'http.request.method',
  'http.route',
  'http.response.status_code',
  'livekit.webhook.outcome',
  'livekit.webhook.reason',
  'messaging.system',
  'messaging.operation.type',
  'messaging.operation.name',
  'messaging.destination.name',
  'messaging.message.id',
  'messaging.consumer.group.name',
  'messaging.batch.message_count',
  'livekit.event',
  'livekit.project',
  'livekit.delivery.id',
  'livekit.delivery.attempt',
  'livekit.delivery.replay',
  'livekit.session.events',
  'rpc.system',
  'rpc.service',
  'rpc.method',
  'error.type',
] as const;

/** The name of an attribute. */
export type SpanAttribute = (typeof SPAN_ATTRIBUTES)[number];

/** The attributes of a span. */
export type SpanAttributes = { [N in SpanAttribute]?: AttributeValue | undefined };

import type { IncomingMessage } from 'node:http';
import type { Span } from '../../tracing/spans.js';
import type { RequestProblem } from '../errors.js';

/** What is known of one request to a webhook path, filled in as it is processed. */
export interface WebhookDelivery {
  /** The path it was sent to, as configured (without the host's prefix). */
  path: string;
  /** When its head arrived, UTC milliseconds. */
  receivedAt: number;
  /** The same on the monotonic clock, for measuring. */
  startedAt: number;
  /** Its body, byte for byte; undefined when the request was refused before it was read. */
  body?: Buffer;
  /** Why it must be refused, whatever its signature. */
  problem?: RequestProblem;
  /** Whether it reached our guard; anything that refuses it earlier is the host's. */
  guarded: boolean;
  /** Whether its outcome has been recorded. */
  recorded: boolean;
  /** The timer that answers it if nothing else does. */
  overdue?: NodeJS.Timeout;
  /** The project whose key signed it. */
  project?: string;
  /** How it was signed. */
  scheme?: string;
  /** The SHA-256 of its body, hex. */
  bodySha256?: string;
  /** Its body's JSON, once parsed; see `jsonOf`. */
  json?: { value: unknown };
  /** Its event, once validated: for the log line and the metrics. */
  event?: { name: string; id: string; occurredAt: number; roomName: string | null };
  /** The span of the request; it ends with the answer. */
  span?: Span;
  /** The span's `traceparent`; `null` without tracing. */
  traceparent?: string | null;
}

const DELIVERY = Symbol.for('nestjs-livekit-webhooks:delivery');

type CarriesDelivery = IncomingMessage & { [DELIVERY]?: WebhookDelivery };

/** Binds a delivery to its request. */
export function attachDelivery(request: IncomingMessage, delivery: WebhookDelivery): WebhookDelivery {
  (request as CarriesDelivery)[DELIVERY] = delivery;
  return delivery;
}

/** The delivery of a request of Express or of Fastify (which keeps Node's request in `raw`). */
export function deliveryOf(request: IncomingMessage | { raw: IncomingMessage }): WebhookDelivery | undefined {
  const node: CarriesDelivery = 'raw' in request ? request.raw : request;
  return node[DELIVERY];
}

/** The JSON of a delivery's body, parsed once; undefined when it is not JSON. To be called only once it is verified. */
export function jsonOf(delivery: WebhookDelivery): unknown {
  delivery.json ??= { value: parseJson(delivery.body) };
  return delivery.json.value;
}

function parseJson(body: Buffer | undefined): unknown {
  try {
    return JSON.parse(body?.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
}

import type { IncomingMessage } from 'node:http';
import type { Span } from '../../tracing/spans.js';
import type { RequestProblem } from '../errors.js';

/** One request to a webhook path: what is known of it, gathered as it passes through. */
export interface WebhookDelivery {
  /** The path it came in by, as the options name it (without the host's prefix). */
  path: string;
  /** When its head arrived, UTC milliseconds. */
  receivedAt: number;
  /** The same on the monotonic clock, for measuring. */
  startedAt: number;
  /** Its body, byte for byte; undefined when the request was refused before it was read. */
  body?: Buffer;
  /** Why it is to be refused, whoever signed it. */
  problem?: RequestProblem;
  /** Whether it got as far as our guard: what refuses it before that is the host's. */
  guarded: boolean;
  /** Whether it has been told what became of it. */
  recorded: boolean;
  /** Answers it when nobody else does. */
  overdue?: NodeJS.Timeout;
  /** The project whose key signed it. */
  project?: string;
  /** How it was signed. */
  scheme?: string;
  /** The SHA-256 of its body, hex. */
  bodySha256?: string;
  /** Its body's JSON once it was asked for; see `jsonOf`. */
  json?: { value: unknown };
  /** The event in it, once it is known to be one: for the log line and the metrics. */
  event?: { name: string; id: string; occurredAt: number; roomName: string | null };
  /** Of the request; its end is the answer. */
  span?: Span;
  /** The `traceparent` of that; `null` when nobody traces. */
  traceparent?: string | null;
}

const DELIVERY = Symbol.for('nestjs-livekit-webhooks:delivery');

type CarriesDelivery = IncomingMessage & { [DELIVERY]?: WebhookDelivery };

/** Binds a delivery to its request. */
export function attachDelivery(request: IncomingMessage, delivery: WebhookDelivery): WebhookDelivery {
  (request as CarriesDelivery)[DELIVERY] = delivery;
  return delivery;
}

/** The delivery of a request, be it Express's or Fastify's (which keeps Node's request in `raw`). */
export function deliveryOf(request: IncomingMessage | { raw: IncomingMessage }): WebhookDelivery | undefined {
  const node: CarriesDelivery = 'raw' in request ? request.raw : request;
  return node[DELIVERY];
}

/** The JSON of a delivery's body, parsed once; undefined when it is none. To be asked for only once it is verified. */
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

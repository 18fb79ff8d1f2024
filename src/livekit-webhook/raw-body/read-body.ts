import type { IncomingMessage } from 'node:http';
import type { RequestProblem } from '../errors.js';

/** How large a body may be, in bytes, and how long it may take to arrive, in milliseconds. */
export interface BodyLimits {
  bodyLimit: number;
  bodyTimeout: number;
}

/** The body, or why there is none: a problem to answer, or `cut_off` when the sender has gone. */
export type BodyReading = { body: Buffer } | { problem: RequestProblem } | 'cut_off';

/**
 * Reads a request's body as the bytes that were sent, whatever its content type. A body that is too large
 * is reported at once, while Node goes on discarding the rest, so that the sender can read the answer.
 */
export function readBody(request: ReadableRequest, limits: BodyLimits): Promise<BodyReading> {
  const known = knownAtOnce(request, limits);
  return known === undefined ? readAll(request, limits) : Promise.resolve(known);
}

type ReadableRequest = IncomingMessage & { rawBody?: unknown };

function knownAtOnce(request: ReadableRequest, limits: BodyLimits): BodyReading | undefined {
  const { method, headers } = request;
  if (method !== 'POST') return refuse(request, limits, 'method_not_allowed');
  if (!isIdentity(headers['content-encoding'])) return refuse(request, limits, 'unsupported_encoding');
  if (request.readableEnded) {
    // Something in front of the framework has already read it; some (serverless platforms) keep the bytes.
    return Buffer.isBuffer(request.rawBody) ? { body: request.rawBody } : { problem: 'unread' };
  }
  if (Number(headers['content-length'] ?? 0) > limits.bodyLimit) return refuse(request, limits, 'too_large');
  return undefined;
}

function readAll(request: IncomingMessage, limits: BodyLimits): Promise<BodyReading> {
  const { bodyLimit, bodyTimeout } = limits;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (reading: BodyReading) => {
      clearTimeout(timer);
      resolve(reading);
    };
    const timer = setTimeout(() => finish({ problem: 'unfinished' }), bodyTimeout);
    // The listeners stay: whatever follows the first outcome has no effect, and an error must have a listener.
    request
      .on('data', (chunk: Buffer) => {
        if (size > bodyLimit) return; // already refused
        size += chunk.length;
        if (size <= bodyLimit) chunks.push(chunk);
        else finish(refuse(request, limits, 'too_large'));
      })
      .on('end', () => finish({ body: Buffer.concat(chunks) }))
      .on('close', () => finish('cut_off'))
      .on('error', () => finish('cut_off'));
  });
}

function refuse(request: IncomingMessage, { bodyTimeout }: BodyLimits, problem: RequestProblem): BodyReading {
  endTricklers(request, bodyTimeout);
  return { problem };
}

const isIdentity = (encoding: string | undefined): boolean =>
  encoding === undefined || encoding.trim() === '' || encoding.trim().toLowerCase() === 'identity';

// Node would discard the rest of a refused body for as long as it keeps coming.
function endTricklers(request: IncomingMessage, patience: number): void {
  if (request.readableEnded) return;
  request.resume();
  const timer = setTimeout(() => request.destroy(), patience).unref();
  request.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer));
}

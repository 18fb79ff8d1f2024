import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { toldOf } from '../../logging/error-fields.js';
import { traceHeaders } from '../../tracing/trace-context.js';
import { CLOUD_EVENT_JSON, type OutletEvent } from '../cloud-event.js';
import { OutletError } from '../errors.js';
import type { PublishAttempt, Publisher } from '../outlet.js';
import type { WebhookOutletSettings } from '../outlets.options.js';
import { failureOf, type WebhookAnswer } from './answer.js';
import { guardedLookup, urlProblem } from './guarded-lookup.js';
import { webhookHeaders } from './signature.js';

/** How long a receiver may take, milliseconds (Standard Webhooks: 15 to 30 s). */
const PATIENCE = 15_000;

/** How much of an answer is read, so that its connection can be reused, bytes. */
const READ = 16_384;

/** Posts events as the Standard Webhooks specification says, to public addresses over TLS unless others are allowed. */
export class WebhookPublisher implements Publisher {
  private readonly agent: HttpAgent;
  private readonly request: typeof httpsRequest;

  /** @param patience how long the receiver may take, milliseconds. */
  constructor(
    private readonly settings: WebhookOutletSettings,
    private readonly patience = PATIENCE,
  ) {
    const isSecure = settings.url.protocol === 'https:';
    const Agent = isSecure ? HttpsAgent : HttpAgent;
    this.agent = new Agent({
      keepAlive: true,
      timeout: patience, // of idle connections: a firewall forgets them, and what is sent on one then arrives nowhere
      lookup: guardedLookup(settings.allowance, isSecure),
    });
    this.request = isSecure ? httpsRequest : httpRequest;
  }

  async publish({ id, json }: OutletEvent, { signal, backoff }: PublishAttempt): Promise<void> {
    // The agent looks up names, but not an address in the URL.
    const problem = urlProblem(this.settings.url, this.settings.allowance);
    if (problem !== undefined) throw new OutletError(`the webhook's URL ${problem}`);
    const now = Date.now(); // it is compared with the receiver's own clock
    const headers = webhookHeaders(
      { id, timestamp: Math.floor(now / 1_000), body: json },
      this.settings.keys,
    );
    const failure = failureOf(await this.post(json, headers, signal), { now, backoff });
    if (failure !== null) throw failure;
  }

  async close(): Promise<void> {
    this.agent.destroy();
  }

  private post(body: string, headers: Record<string, string>, signal: AbortSignal): Promise<WebhookAnswer> {
    const bytes = Buffer.from(body);
    const time = AbortSignal.timeout(this.patience);
    return new Promise((resolve, reject) => {
      const sending = this.request(this.settings.url, {
        method: 'POST',
        agent: this.agent,
        signal: AbortSignal.any([signal, time]),
        headers: {
          ...headers,
          ...traceHeaders(),
          'content-type': CLOUD_EVENT_JSON,
          'content-length': bytes.length,
          'user-agent': 'nestjs-livekit-webhooks',
        },
      });
      sending.on('error', (error) =>
        reject(
          time.aborted
            ? new OutletError(`the webhook's receiver has not answered within ${this.patience} ms`)
            : failedToSend(error),
        ),
      );
      sending.on('response', (response) => {
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
        readAway(response);
      });
      // Neither an answer nor an error: it has switched to another protocol (101).
      sending.on('close', () =>
        reject(new OutletError("the webhook's receiver has ended the connection without an answer")),
      );
      sending.end(bytes);
    });
  }
}

const failedToSend = (error: Error): Error =>
  error instanceof OutletError
    ? error
    : new OutletError(`the webhook's receiver is not reached: ${toldOf(error)}`, { cause: error });

/** Drains an answer, of which only the status matters, without waiting for it. */
function readAway(response: IncomingMessage): void {
  let read = 0;
  response.on('error', () => undefined);
  response.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > READ) response.destroy();
  });
}

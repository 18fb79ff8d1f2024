import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';

/** A CloudEvent as its consumers read it. */
export interface ReadEvent {
  id: string;
  source: string;
  type: string;
  subject?: string;
  data: unknown;
}

/** A webhook that was received. */
export interface ReceivedWebhook {
  headers: IncomingHttpHeaders;
  body: string;
}

/** Answers a webhook, or leaves it unanswered. */
type Answer = (webhook: ReceivedWebhook, response: ServerResponse) => void;

/** Answers with a status. */
export const answering =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    void response.writeHead(status, headers).end();

/** Reads a CloudEvent as its SDK does. */
export const readCloudEvent = (body: string): ReadEvent =>
  HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body }) as ReadEvent;

/** Receives webhooks, and knows nothing of us but public specifications. */
export class OutletReceiver {
  /** The secret that webhooks are verified with by default. */
  readonly secret = `whsec_${Buffer.alloc(32, 'outlet').toString('base64')}`;
  /** Everything that was received, in order. */
  readonly received: ReceivedWebhook[] = [];
  /** The answer to the next webhooks. */
  answer: Answer = answering(204);
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const webhook = { headers: request.headers, body: Buffer.concat(chunks).toString() };
        this.received.push(webhook);
        this.answer(webhook, response);
      });
    });
    this.server.keepAliveTimeout = 0; // it is for whoever posts to end connections
  }

  /** Listens on a free port, or on one that it had before. */
  static async listen(port = 0): Promise<OutletReceiver> {
    const receiver = new OutletReceiver();
    await new Promise<void>((resolve) => receiver.server.listen(port, '127.0.0.1', resolve));
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** The events received, verified and read, each once. @throws when a signature is wrong. */
  events(secret = this.secret): ReadEvent[] {
    const webhook = new Webhook(secret);
    const byId = new Map<string, ReadEvent>();
    for (const { headers, body } of this.received) {
      webhook.verify(body, headers as Record<string, string>);
      const event = readCloudEvent(body);
      expect(headers['webhook-id']).toBe(event.id);
      byId.set(event.id, event);
    }
    return [...byId.values()];
  }

  /** How many connections are open. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
    );
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

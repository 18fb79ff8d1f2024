import type { WebhookEvent } from 'livekit-server-sdk';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** What of an event decides whether it is lost. */
export type Webhook = Pick<WebhookEvent, 'event'> & { participant?: { identity: string } };

/** Stands where LiveKit sends its webhooks: passes them on as they are, and loses some. */
export class WebhookGate {
  /** The names of the events that were lost. */
  readonly lost: string[] = [];
  private loses: (webhook: Webhook) => boolean = () => false;
  private readonly server: Server = createServer((request, response) => void this.take(request, response));

  private constructor(private readonly origin: string) {}

  /** Listens in front of an application. */
  static async before(origin: string, port: number): Promise<WebhookGate> {
    const gate = new WebhookGate(origin);
    await new Promise<void>((resolve, reject) => {
      gate.server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    return gate;
  }

  /** Loses such events from now on. */
  lose(which: (webhook: Webhook) => boolean): void {
    this.loses = which;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const webhook = JSON.parse(body.toString()) as Webhook;
    if (this.loses(webhook)) {
      this.lost.push(webhook.event);
      response.writeHead(400).end(); // LiveKit never sends it again
      return;
    }
    const { authorization = '', 'content-type': type = '' } = request.headers;
    const answer = await fetch(this.origin + request.url, {
      method: 'POST',
      headers: { authorization, 'content-type': type },
      body: new Uint8Array(body),
    });
    response.writeHead(answer.status).end(await answer.text());
  }
}

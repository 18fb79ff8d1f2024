import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Log } from '../logging/log.js';
import { RawBodyRoutes } from './raw-body/raw-body.routes.js';

/** LiveKit's content type, which hardly anything else sends (`livekit/protocol webhook/resource_url_notifier.go`). */
const WEBHOOK_TYPE = 'application/webhook+json';

/** Logs webhooks that were posted to a path where nothing receives them: LiveKit never resends what got a 404. */
@Injectable()
export class MisdirectedWebhooks implements OnApplicationBootstrap {
  private readonly logger = new Log('LivekitWebhook');

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly routes: RawBodyRoutes,
  ) {}

  onApplicationBootstrap(): void {
    const ours = new Set(this.routes.urls);
    const server: Server | undefined = this.adapterHost.httpAdapter?.getHttpServer();
    // Ahead of Express, which takes the prefix of what it passes a request on to off its `url`.
    server?.prependListener('request', ({ url = '', headers }: IncomingMessage, response: ServerResponse) => {
      if (ours.has(url) || headers['content-type'] !== WEBHOOK_TYPE) return;
      response.once('close', () => {
        if (response.statusCode === 404) this.tell(url);
      });
    });
  }

  private tell(url: string): void {
    const [path] = url.split('?');
    this.logger.warn('a webhook was posted where nobody takes it, and is lost', { path });
  }
}

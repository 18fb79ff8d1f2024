import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Log } from '../../logging/log.js';
import { WebhookAnswers } from '../webhook-answers.js';
import { webhookPathOf } from '../webhook-route.js';
import { deliveryOf, type WebhookDelivery } from './delivery.js';
import { RawBodyReader } from './raw-body.reader.js';

/** The parts of Express 5 that are used here. */
interface ExpressApplication {
  router: { stack: object[] };
  all(
    path: string,
    middleware: (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void,
  ): void;
}

/** The parts of Fastify 5 that are used here. */
interface FastifyRequest {
  raw: IncomingMessage;
  is404: boolean;
  routeOptions: { url?: string };
}

interface FastifyReply {
  raw: ServerResponse;
  hijack(): FastifyReply;
}

interface FastifyRoute {
  url: string;
  method: string | string[];
}

interface FastifyInstance {
  initialConfig: { ignoreTrailingSlash?: boolean; routerOptions?: { ignoreTrailingSlash?: boolean } };
  hasRoute(route: FastifyRoute): boolean;
  route(route: FastifyRoute): void;
  addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): void;
  addHook(
    name: 'onRequest',
    hook: (request: FastifyRequest, reply: FastifyReply, next: (error?: Error) => void) => void,
  ): void;
}

/** The part of Nest's adapters that is used here. */
interface RouteRegistrar {
  all(...route: unknown[]): unknown;
}

/**
 * Puts the raw body reader in front of the webhook routes only. It bypasses the host's parsers, content types and
 * `rawBody`, which would refuse or lose the bytes that the signature covers.
 */
@Injectable()
export class RawBodyRoutes {
  private readonly logger = new Log('LivekitWebhook');
  /** The configured path of each URL, which includes the host's prefix. */
  private readonly paths = new Map<string, string>();
  /** The Fastify route of each, to be registered once more with a trailing slash. */
  private readonly fastifyRoutes: FastifyRoute[] = [];

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly reader: RawBodyReader,
    private readonly answers: WebhookAnswers,
  ) {}

  /** The URLs that webhooks are received on, including the host's prefix. */
  get urls(): string[] {
    return [...this.paths.keys()];
  }

  /** To be called before Nest registers its routes: they are noted as they are registered. */
  beforeRoutes(): void {
    const type = this.adapterType();
    if (type === 'express' || type === 'fastify') this.noteRoutes(this.adapterHost.httpAdapter);
    if (type === 'fastify') this.installOnFastify(this.adapterHost.httpAdapter.getInstance());
  }

  /** To be called once Nest has registered its routes: the host's parsers are in front of Express's, and Fastify still accepts more. */
  afterRoutes(): void {
    const type = this.adapterType();
    if (type === 'express') this.installOnExpress(this.adapterHost.httpAdapter.getInstance());
    if (type === 'fastify') this.takeTrailingSlashes(this.adapterHost.httpAdapter.getInstance());
    for (const url of this.urls) this.logger.log('LiveKit webhooks are received', { path: url });
  }

  private adapterType(): string | undefined {
    return this.adapterHost.httpAdapter?.getType();
  }

  // Only here is a handler sure to be the one that bears our mark: Sentry, OpenTelemetry and New Relic replace those that
  // Fastify is given, and so does Nest itself where a path has parameters.
  private noteRoutes(adapter: RouteRegistrar): void {
    const all = adapter.all.bind(adapter);
    adapter.all = (...route) => {
      const path = webhookPathOf(route.at(-1) as object);
      if (path !== undefined) this.paths.set(withoutSlash(route[0] as string), path);
      return all(...route);
    };
  }

  private installOnExpress(app: ExpressApplication): void {
    const { stack } = app.router;
    for (const [url, path] of this.paths) {
      app.all(url, (request, response, next) => {
        this.reader.read(request, response, path).then((alive) => {
          if (!alive) return;
          hideBody(request);
          next();
        }, next);
      });
      // Moved from last to first: the host's parsers are already in the list.
      stack.unshift(stack.pop() as object);
    }
  }

  private installOnFastify(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', (route) => {
      const { url, method } = route;
      if (this.paths.has(url) && method.includes('POST')) this.fastifyRoutes.push(route);
    });
    fastify.addHook('onRequest', (request, reply, next) => {
      const { raw } = request;
      const url = request.is404 ? raw.url?.split('?')[0] : request.routeOptions.url;
      const path = this.paths.get(withoutSlash(url ?? ''));
      if (path === undefined) return next();
      this.reader.read(raw, reply.raw, path).then((alive) => {
        if (!alive) reply.hijack();
        else if (raw.method === 'POST') {
          hideBody(raw);
          raw.headers['content-type'] = undefined; // to Fastify's parsers it means that there is a body
          next();
        } else {
          // Fastify has no routes for some methods, and its own answer for others.
          this.answers.send(reply, deliveryOf(raw) as WebhookDelivery, { outcome: 'method_not_allowed' });
        }
      }, next);
    });
  }

  // As Express does: a webhook sent to such a path would get a 404 that nobody sees, and be lost.
  private takeTrailingSlashes(fastify: FastifyInstance): void {
    const { ignoreTrailingSlash, routerOptions } = fastify.initialConfig;
    if (ignoreTrailingSlash || routerOptions?.ignoreTrailingSlash) return;
    for (const route of this.fastifyRoutes) {
      const slashed = { ...route, method: 'POST', url: `${route.url}/` };
      if (!fastify.hasRoute(slashed)) fastify.route(slashed);
    }
  }
}

const withoutSlash = (url: string): string => (url.endsWith('/') ? url.slice(0, -1) : url);

// The body has been read or refused, so the framework's parsers must find none. (Not deleted: that would slow down every
// look-up of a header.)
function hideBody({ headers }: IncomingMessage): void {
  headers['content-length'] = undefined;
  headers['transfer-encoding'] = undefined;
}

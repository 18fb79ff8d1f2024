import {
  type ArgumentsHost,
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  HttpCode,
  type INestApplication,
  Injectable,
  type NestInterceptor,
  Post,
  type Provider,
  type RawBodyRequest,
  Req,
  SetMetadata,
  type Type,
  UnauthorizedException,
  ValidationPipe,
  VersioningType,
} from '@nestjs/common';
import { HttpAdapterHost, Reflector } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { IsInt, IsOptional } from 'class-validator';
import express from 'express';
import type { IncomingMessage } from 'node:http';
import { map, type Observable } from 'rxjs';
import type { AppendQueueLimits } from '../../src/event-log/append/append-queue.js';
import { EVENT_LOG_LIMITS } from '../../src/event-log/event-log.js';
import { CLOCK } from '../../src/event-log/clock.js';
import { LivekitWebhookModule } from '../../src/livekit-webhook/livekit-webhook.module.js';
import {
  DEFAULT_WEBHOOK_PATH,
  type LivekitWebhookModuleExtras,
  type LivekitWebhookModuleOptions,
} from '../../src/livekit-webhook/livekit-webhook.options.js';
import { TestClock } from '../../src/testing/test-clock.js';
import { freshDatabase, sqlQuery } from './database.js';
import { PATIENT } from './patience.js';
import { RecordingLogger } from './recording-logger.js';
import { mintToken, TEST_KEY, type TokenChanges } from './signing.js';
import { NOW } from './webhook.js';

export type AdapterName = 'express' | 'fastify';

/** Both adapters, for `describe.each`. */
export const ADAPTERS: readonly AdapterName[] = ['express', 'fastify'];

type WebhookOptions = LivekitWebhookModuleOptions & LivekitWebhookModuleExtras;

/** What a host has besides our module, all of it global; nothing by default. */
export interface HostShape {
  globalPrefix?: string;
  /** What the prefix leaves out. */
  exclude?: NonNullable<Parameters<INestApplication['setGlobalPrefix']>[1]>['exclude'];
  /** Routes have a version in their path, `v1` unless they say otherwise. */
  uriVersioning?: boolean;
  guard?: CanActivate;
  filter?: (adapterHost: HttpAdapterHost) => ExceptionFilter;
  interceptor?: NestInterceptor;
  validationPipe?: boolean;
  rawBody?: boolean;
  /** A body parser of the host's own, in front of everything that Nest mounts. */
  ownParser?: boolean;
  cors?: boolean;
  /** Fastify's handlers are replaced as they are registered, as Sentry, OpenTelemetry and New Relic do it. */
  wrapsHandlers?: boolean;
  /** The options of Fastify. */
  fastify?: { ignoreTrailingSlash?: boolean; routerOptions?: { ignoreTrailingSlash?: boolean } };
  /** The options of our module besides a key and a database; `null` for a host without our module. */
  webhooks?: Partial<WebhookOptions> | null;
  /** Our module, created in another way than by `forRoot`. */
  webhookModule?: (databaseUrl: string) => DynamicModule;
  limits?: Partial<AppendQueueLimits>;
  imports?: (DynamicModule | Type)[];
  providers?: Provider[];
  controllers?: Type[];
  /** A database that outlives the host; without it the host has one of its own. */
  databaseUrl?: string;
}

/** An answer to `fetch`. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

/** A log line about a request to the webhook path. */
export type ReceiptLine = Record<string, unknown>;

/** A host that listens. */
export interface Host {
  app: NestExpressApplication | NestFastifyApplication;
  /** Its origin. */
  url: string;
  /** The webhooks' path, including the host's prefix. */
  path: string;
  databaseUrl: string;
  logger: RecordingLogger;
  clock: TestClock;
  /** Posts a body as LiveKit does, with its token unless `headers` say otherwise (`authorization: null`: none). */
  deliver(body: Buffer | string, how?: Delivering): Promise<Answer>;
  /** The log lines about requests to the webhook path. */
  receipts(): ReceiptLine[];
  /** Queries its store from outside. */
  rows<Row = Record<string, unknown>>(sql: string, parameters?: unknown[]): Promise<Row[]>;
  /** Stops it, and leaves its database to be inspected. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

interface Delivering {
  token?: TokenChanges;
  headers?: Record<string, string | null>;
  path?: string;
}

/** Boots a host on a database of its own. */
export async function bootHost(adapter: AdapterName, shape: HostShape = {}): Promise<Host> {
  const needsDatabase = shape.databaseUrl === undefined && shape.webhooks !== null;
  const database = needsDatabase ? await freshDatabase() : undefined;
  const databaseUrl = shape.databaseUrl ?? database?.url ?? '';
  const clock = new TestClock(NOW);
  const logger = new RecordingLogger();
  const builder = Test.createTestingModule({
    imports: [...(shape.imports ?? []), ...webhookModules(shape, databaseUrl)],
    controllers: [HostController, ...(shape.controllers ?? [])],
    providers: shape.providers ?? [],
  });
  if (shape.webhooks !== null) {
    builder.overrideProvider(CLOCK).useValue(clock);
    builder.overrideProvider(EVENT_LOG_LIMITS).useValue({ ...PATIENT, ...shape.limits });
  }
  builder.setLogger(logger);
  let app: Host['app'];
  try {
    const module = await builder.compile();
    const options = { logger, rawBody: shape.rawBody ?? false };
    app =
      adapter === 'express'
        ? module.createNestApplication<NestExpressApplication>(expressAdapter(shape), options)
        : module.createNestApplication<NestFastifyApplication>(fastifyAdapter(shape), options);
    dress(app, shape);
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await database?.drop();
    throw error;
  }
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as { port: number }).port}`;
  const prefix = shape.globalPrefix === undefined ? '' : `/${shape.globalPrefix}`;
  const path = prefix + DEFAULT_WEBHOOK_PATH;
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= app.close());
  return {
    app,
    url,
    path,
    databaseUrl,
    logger,
    clock,
    async deliver(body, { token, headers = {}, path: otherPath = path } = {}) {
      const all = {
        'content-type': 'application/webhook+json',
        authorization: mintToken(body, clock.now(), token),
        ...headers,
      };
      const sent = Object.entries(all).filter((header): header is [string, string] => header[1] !== null);
      const response = await fetch(url + otherPath, { method: 'POST', headers: sent, body });
      return { status: response.status, headers: response.headers, text: await response.text() };
    },
    receipts: () =>
      logger
        .of('LivekitWebhook')
        .filter(
          (line): line is ReceiptLine => typeof line === 'object' && line !== null && 'outcome' in line,
        ),
    rows: (sql, parameters) => sqlQuery(databaseUrl, sql, parameters),
    stop,
    async close() {
      await stop();
      await database?.drop();
    },
  };
}

/** A token for the host's own global guard. */
export const HOST_TOKEN = 'host-token';

/** Marks the routes that a host's guard lets past. */
export const Public = (): ClassDecorator => SetMetadata('isPublic', true) as ClassDecorator;

/** A host's global guard as people write it: a token, or `@Public()`. */
@Injectable()
export class HostAuthGuard implements CanActivate {
  private readonly reflector = new Reflector();

  canActivate(context: ExecutionContext): boolean {
    const isPublic = this.reflector.getAllAndOverride('isPublic', [context.getHandler(), context.getClass()]);
    const { headers } = context.switchToHttp().getRequest<IncomingMessage>();
    if (isPublic || headers['x-host-token'] === HOST_TOKEN) return true;
    throw new UnauthorizedException('the host knows you not');
  }
}

/** A host's global filter that answers every error 200, in an envelope. */
@Catch()
export class EnvelopeFilter implements ExceptionFilter {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const { message } = error as Error;
    this.adapterHost.httpAdapter.reply(host.switchToHttp().getResponse(), { ok: false, message }, 200);
  }
}

/** A host's global interceptor that puts every answer into an envelope. */
export class EnvelopeInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ ok: true, data })));
  }
}

/** A host with everything global that might come between LiveKit and us. */
export const EVERYTHING: HostShape = {
  globalPrefix: 'api',
  uriVersioning: true,
  guard: new HostAuthGuard(),
  filter: (adapterHost) => new EnvelopeFilter(adapterHost),
  interceptor: new EnvelopeInterceptor(),
  validationPipe: true,
  rawBody: true,
  ownParser: true,
  webhooks: { decorators: [Public()] },
};

class EchoDto {
  @IsOptional()
  @IsInt()
  n?: number;
}

/** Routes of the host's own. */
@Controller('host')
class HostController {
  @Get()
  hello(): object {
    return { hello: 'from the host' };
  }

  @Post('echo')
  @HttpCode(200)
  echo(@Body() body: EchoDto, @Req() request: RawBodyRequest<IncomingMessage>): object {
    return { body, rawBody: request.rawBody?.toString() ?? null };
  }
}

function webhookModules({ webhooks, webhookModule }: HostShape, url: string): DynamicModule[] {
  if (webhooks === null) return [];
  if (webhookModule !== undefined) return [webhookModule(url)];
  const key = webhooks?.projects === undefined && webhooks?.keys === undefined ? TEST_KEY : {};
  return [LivekitWebhookModule.forRoot({ ...key, database: { url }, ...webhooks })];
}

function expressAdapter({ ownParser = false }: HostShape): ExpressAdapter {
  const server = express();
  if (ownParser) server.use(express.json({ type: () => true }));
  return new ExpressAdapter(server);
}

function fastifyAdapter({
  ownParser = false,
  wrapsHandlers = false,
  fastify = {},
}: HostShape): FastifyAdapter {
  const adapter = new FastifyAdapter(fastify);
  if (wrapsHandlers) {
    adapter.getInstance().addHook('onRoute', (route) => {
      const { handler } = route;
      route.handler = function (...request) {
        return handler.apply(this, request);
      };
    });
  }
  if (ownParser) {
    adapter.getInstance().addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
      try {
        done(null, JSON.parse(body.toString()));
      } catch (error) {
        done(error as Error);
      }
    });
  }
  return adapter;
}

function dress(app: Host['app'], shape: HostShape): void {
  if (shape.globalPrefix !== undefined)
    app.setGlobalPrefix(shape.globalPrefix, { ...(shape.exclude && { exclude: shape.exclude }) });
  if (shape.uriVersioning) app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
  if (shape.guard) app.useGlobalGuards(shape.guard);
  if (shape.filter) app.useGlobalFilters(shape.filter(app.get(HttpAdapterHost)));
  if (shape.interceptor) app.useGlobalInterceptors(shape.interceptor);
  if (shape.validationPipe) {
    app.useGlobalPipes(
      new ValidationPipe({
        whitelist: true,
        forbidNonWhitelisted: true,
        transform: true,
      }),
    );
  }
  if (shape.cors) app.enableCors();
}

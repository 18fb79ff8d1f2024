import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestModule,
  RequestMethod,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import { mergeMap, type Observable, of, throwError } from 'rxjs';
import { MetricsModule } from '../../../src/metrics/metrics.module.js';
import { SessionsModule } from '../../../src/sessions/sessions.module.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import {
  ADAPTERS,
  bootHost,
  EnvelopeFilter,
  EnvelopeInterceptor,
  HOST_TOKEN,
  type Host,
  HostAuthGuard,
  type HostShape,
  Public,
} from '../../support/host.js';
import { until } from '../../support/until.js';
import { newId, webhook } from '../../support/webhook.js';

class ThrowsBefore implements NestInterceptor {
  intercept(): Observable<unknown> {
    return throwError(() => new Error('the host failed before'));
  }
}

class ThrowsAfter implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(mergeMap(() => throwError(() => new Error('the host failed after'))));
  }
}

/** Answers everything in front of the guards: where Express has its middleware, and Fastify the hooks of its plugins. */
@Module({})
class Closed implements NestModule {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  configure(consumer: MiddlewareConsumer): void {
    const { httpAdapter } = this.adapterHost;
    if (httpAdapter.getType() === 'express') {
      const forbid = (_request: unknown, response: ServerResponse) => response.writeHead(403).end();
      consumer.apply(forbid).forRoutes('{*path}');
    } else {
      const forbid = async (_request: unknown, reply: FastifyReply) => reply.code(403).send();
      httpAdapter.getInstance<FastifyInstance>().addHook('preHandler', forbid);
    }
  }
}

@Injectable()
class Boasts {
  canActivate(): boolean {
    throw new Error('what about SomeOther.canActivate');
  }
}

@Injectable()
class RefusesQuietly {
  canActivate(): boolean {
    return false;
  }
}

const UNAVAILABLE = [503, '{"status":"unavailable"}'];
const ACCEPTED = [200, '{"status":"accepted"}'];

describe.each(ADAPTERS)('what a host has global on %s', (adapter) => {
  let database: FreshDatabase;
  let host: Host;

  const boot = async (shape: HostShape) => {
    host = await bootHost(adapter, { databaseUrl: database.url, ...shape });
  };
  const deliver = async (body: string, how?: Parameters<Host['deliver']>[1]) => {
    const { status, text } = await host.deliver(body, how);
    return [status, text];
  };

  beforeAll(async () => {
    database = await freshDatabase();
  });

  afterEach(() => host.close());
  afterAll(() => database.drop());

  test.each<[string, HostShape, string]>([
    ['throws', { guard: new HostAuthGuard() }, 'HostAuthGuard'],
    ['says no', { guard: new RefusesQuietly() }, 'RefusesQuietly'],
    ['names another', { guard: new Boasts() }, '(Boasts)'],
    ['is an APP_GUARD', { providers: [{ provide: APP_GUARD, useClass: RefusesQuietly }] }, 'RefusesQuietly'],
  ])(
    'a guard that %s can lose no event: 503, and the log names it and the cure',
    async (_how, shape, name) => {
      await boot(shape);
      const answer = await host.deliver(webhook());
      expect([answer.status, answer.text]).toEqual(UNAVAILABLE);
      expect(answer.headers.get('retry-after')).toBe('7');
      const line = host.receipts().at(-1);
      expect(line).toMatchObject({ outcome: 'host_refused', status: 503 });
      expect(line?.['detail']).toContain(name);
      expect(line?.['detail']).toContain(
        '`decorators: [Public(), SkipThrottle()]` (beside `useFactory` in `forRootAsync`)',
      );
    },
  );

  test('a guard lets LiveKit past by the decorators it goes by, and ours still guards', async () => {
    await boot({ guard: new HostAuthGuard(), webhooks: { decorators: [Public()] } });
    expect(await deliver(webhook())).toEqual(ACCEPTED);
    expect(await deliver(webhook(), { token: { secret: 'forged' } })).toEqual([
      401,
      '{"status":"unauthorized"}',
    ]);
  });

  describe('and the routes that a token of ours opens', () => {
    const adminToken = 'an-admin-token-of-ours';
    const bootWith = (decorators?: ClassDecorator[]) => {
      const admin = { adminToken, ...(decorators && { adminDecorators: decorators }) };
      const metrics = { token: adminToken, ...(decorators && { decorators }) };
      return boot({
        guard: new HostAuthGuard(),
        webhooks: admin,
        imports: [SessionsModule.forRoot(admin), MetricsModule.forRoot(metrics)],
      });
    };
    const statuses = (headers: Record<string, string>) =>
      Promise.all(
        ['/voice/deliveries', '/voice/handlers', '/voice/sessions', '/voice/expectations', '/metrics'].map(
          async (path) => (await fetch(host.url + path, { headers })).status,
        ),
      );

    test('a guard lets past by the same decorators, and the token is asked for all the same', async () => {
      await bootWith([Public()]);
      expect(await statuses({ authorization: `Bearer ${adminToken}` })).toEqual([200, 200, 200, 200, 200]);
      expect(await statuses({})).toEqual([401, 401, 401, 401, 401]);
    });

    test('a filter of the host answers all their errors alike', async () => {
      await boot({
        filter: (adapterHost) => new EnvelopeFilter(adapterHost),
        webhooks: { adminToken },
        imports: [SessionsModule.forRoot({ adminToken })],
      });
      const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
      for (const [method, path, body] of [
        ['GET', 'sessions?limt=1'],
        ['GET', 'sessions?project=none&cursor=strange'],
        ['PUT', 'sessions/call-9/disposition', '{"disposition":"transferred"}'],
        ['PUT', 'sessions/call-9/expectation', '{"expiresIn":60}'],
        ['POST', 'deliveries/9/replay', '{}'],
      ] as const) {
        const response = await fetch(`${host.url}/voice/${path}`, { method, headers, ...(body && { body }) });
        const answer = { ok: false, message: expect.any(String) };
        expect([path, await response.json()]).toEqual([path, answer]);
      }
    });

    test('a guard of the host guards as it does all others', async () => {
      await bootWith();
      const authorization = `Bearer ${adminToken}`;
      expect(await statuses({ authorization })).toEqual([401, 401, 401, 401, 401]);
      expect(await statuses({ authorization, 'x-host-token': HOST_TOKEN })).toEqual([
        200, 200, 200, 200, 200,
      ]);
    });
  });

  test('an interceptor that fails before us: 503, and nothing is stored', async () => {
    await boot({ interceptor: new ThrowsBefore() });
    const id = newId();
    expect(await deliver(webhook({ id }))).toEqual(UNAVAILABLE);
    expect(await host.rows('SELECT * FROM livekit_events WHERE event_id = ?', [id])).toEqual([]);
    expect(host.receipts()).toMatchObject([{ outcome: 'failed', status: 503 }]);
  });

  test('an interceptor that answers in our place: 503, and not a sender that waits for ever', async () => {
    await boot({ interceptor: { intercept: () => of({ cached: true }) } });
    const { status } = await host.deliver(webhook());
    expect(status).toBe(503);
    expect(host.receipts().at(-1)).toMatchObject({
      outcome: 'host_refused',
      detail: expect.stringContaining('interceptor'),
    });
  });

  test('middleware that answers in our place is told of: nobody else would', async () => {
    await boot({ imports: [Closed] });
    expect(await deliver(webhook())).toEqual([403, '']);
    await until('a line about it', () => host.receipts().length > 0);
    expect(host.receipts()).toMatchObject([
      {
        outcome: 'host_answered',
        status: 403,
        detail: expect.stringContaining('LiveKit does not send that event again'),
      },
    ]);
  });

  test('an interceptor that fails after us changes nothing: the answer has been given', async () => {
    await boot({ interceptor: new ThrowsAfter() });
    const body = webhook();
    expect(await deliver(body)).toEqual(ACCEPTED);
    expect(await deliver(body)).toEqual([200, '{"status":"duplicate"}']);
    expect(host.receipts()).toMatchObject([{ outcome: 'accepted' }, { outcome: 'duplicate' }]);
  });

  test.each<[string, HostShape]>([
    ['app.useGlobalInterceptors', { interceptor: new EnvelopeInterceptor() }],
    ['APP_INTERCEPTOR', { providers: [{ provide: APP_INTERCEPTOR, useClass: EnvelopeInterceptor }] }],
  ])('an interceptor that maps every answer (%s) does not map ours', async (_how, shape) => {
    await boot(shape);
    expect(await deliver(webhook())).toEqual(ACCEPTED);
  });

  test.each<[string, HostShape]>([
    ['app.useGlobalFilters', { filter: (adapterHost) => new EnvelopeFilter(adapterHost) }],
    ['APP_FILTER', { providers: [{ provide: APP_FILTER, useClass: EnvelopeFilter }] }],
  ])('a filter that answers every error 200 (%s) does not answer ours', async (_how, shape) => {
    await boot(shape);
    expect(await deliver('no event')).toEqual([400, '{"status":"invalid"}']);
    expect(await deliver(webhook(), { headers: { authorization: null } })).toEqual([
      401,
      '{"status":"unauthorized"}',
    ]);
    await host.rows('ALTER TABLE livekit_events RENAME TO livekit_events_away');
    const answer = await deliver(webhook());
    await host.rows('ALTER TABLE livekit_events_away RENAME TO livekit_events');
    expect(answer).toEqual(UNAVAILABLE);
  });

  test('neither does a filter answer what a guard refuses', async () => {
    await boot({ guard: new HostAuthGuard(), filter: (adapterHost) => new EnvelopeFilter(adapterHost) });
    expect(await deliver(webhook())).toEqual(UNAVAILABLE);
  });

  test('a pipe that forbids unknown fields finds none to forbid', async () => {
    await boot({ validationPipe: true });
    expect(await deliver(webhook({ somethingNew: { of: 'LiveKit' } }))).toEqual(ACCEPTED);
  });

  test('a parser of the host in front of ours takes no byte of a delivery, nor does rawBody', async () => {
    await boot({ ownParser: true, rawBody: true });
    for (const contentType of ['application/webhook+json', 'application/json']) {
      const headers = { 'content-type': contentType };
      expect(await deliver(webhook(), { headers })).toEqual(ACCEPTED);
      expect(await deliver('{"broken":', { headers })).toEqual([400, '{"status":"invalid"}']);
      expect(await deliver(webhook({ metadata: 'x'.repeat(900_000) }), { headers })).toEqual(ACCEPTED);
    }
  });

  test('instrumentation that replaces handlers takes no webhook away', async () => {
    await boot({ wrapsHandlers: true });
    expect(await deliver(webhook())).toEqual(ACCEPTED);
    expect(await deliver(webhook(), { path: `${host.path}/` })).toEqual(ACCEPTED);
    const answer = await fetch(host.url + host.path, { method: 'PUT', body: webhook() });
    expect(answer.status).toBe(405);
  });

  test('a prefix with a parameter is followed', async () => {
    await boot({ globalPrefix: 'tenants/:tenant' });
    expect(await deliver(webhook(), { path: '/tenants/a/voice/livekit/webhooks' })).toEqual(ACCEPTED);
    expect(await deliver(webhook(), { path: '/tenants/b/voice/livekit/webhooks/' })).toEqual(ACCEPTED);
  });

  test.each<[string, NonNullable<HostShape['exclude']>, string]>([
    ['leaves out by its path', ['voice/livekit/webhooks'], ''],
    [
      'leaves out only for POST stays: it takes every method',
      [{ path: 'voice/livekit/webhooks', method: RequestMethod.POST }],
      '/api',
    ],
  ])('what a prefix %s', async (_, exclude, prefix) => {
    await boot({ globalPrefix: 'api', exclude });
    expect(await deliver(webhook(), { path: `${prefix}/voice/livekit/webhooks` })).toEqual(ACCEPTED);
  });

  test('a prefix is followed, and versions are ignored', async () => {
    await boot({ globalPrefix: 'api/v7', uriVersioning: true });
    expect(await deliver(webhook())).toEqual(ACCEPTED);
    expect(await deliver(webhook(), { path: '/voice/livekit/webhooks' })).toEqual([404, expect.anything()]);
    expect(host.logger.of('LivekitWebhook')).toContainEqual({
      message: 'LiveKit webhooks are received',
      path: '/api/v7/voice/livekit/webhooks',
    });
  });
});

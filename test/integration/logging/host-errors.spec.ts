import { Injectable } from '@nestjs/common';
import { EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import {
  Deliveries,
  DiscardDelivery,
  EventLog,
  FailDelivery,
  MetricsModule,
  OnAppEvent,
  OnDeliveryEvent,
  OnLivekitEvent,
  RetryAfter,
  ToldError,
} from '../../../src/index.js';
import { HealthModule } from '../../../src/health/health.module.js';
import { EventStore } from '../../../src/database/event-store.js';
import { leaksIn, type Secrets } from '../../support/planted.js';
import { recordedSpans } from '../../support/recorded-spans.js';
import { sessionHosts } from '../../support/session-host.js';
import { until } from '../../support/until.js';

/** What a host's code may come upon and throw. */
const PLANTED = {
  token: 'eyJhbGciOiJIUzI1NiJ9.eyJ2aWRlbyI6e319.planted-signature',
  key: 'sk_live_planted_key',
  number: '+15105550142',
  name: 'Planted Person',
  reason: 'planted-reason',
  thrownText: 'planted-text-that-is-thrown',
  inQuery: 'planted-in-a-query',
  inCause: 'planted-in-a-cause',
  inStack: 'planted_in_the_stack',
  inCode: 'planted.code.of.an.error',
  asName: 'planted name of an error',
} satisfies Secrets;

class PaymentRefusedError extends Error {
  override readonly name = 'PaymentRefusedError';
}

/** What each handler throws, by its name. */
const thrown: Record<string, () => unknown> = {
  token: () => new PaymentRefusedError(`401 for Bearer ${PLANTED.token}\n    at ${PLANTED.inStack}:1:1`),
  person: () => new TypeError(`no account of ${PLANTED.name}, ${PLANTED.number}`),
  text: () => PLANTED.thrownText,
  object: () => ({ key: PLANTED.key, headers: { authorization: PLANTED.token } }),
  discards: () => new DiscardDelivery(PLANTED.reason),
  fails: () => new FailDelivery(PLANTED.reason),
  waits: () => new RetryAfter(60_000, PLANTED.reason),
  caused: () => new Error(PLANTED.key, { cause: new Error(PLANTED.inCause) }),
  several: () => new AggregateError([new Error(PLANTED.inCause)], PLANTED.key),
  coded: () => Object.assign(new Error(PLANTED.key), { code: PLANTED.inCode, name: PLANTED.asName }),
  refused: () => Object.assign(new Error(`connect ECONNREFUSED ${PLANTED.key}`), { code: 'ECONNREFUSED' }),
  told: () => new ToldError('the archive is full'),
};

const throwing = Object.entries(thrown).map(([name, make]) => {
  @Injectable()
  class Throws {
    @OnLivekitEvent('room_started', { name })
    take(): void {
      throw make();
    }
  }
  return Throws;
});

@Injectable()
class Queries {
  constructor(private readonly store: EventStore) {}

  @OnLivekitEvent('room_started', { name: 'queries' })
  take(): Promise<unknown> {
    return this.store.transaction((manager) =>
      manager.query(`SELECT "${PLANTED.inQuery}" FROM nowhere WHERE '${PLANTED.inQuery}' + 1 > now`),
    );
  }
}

@Injectable()
class Listens {
  // Otherwise the emitter itself catches and logs what is thrown, and that is Nest's line.
  @OnEvent('livekit.room_started', { suppressErrors: false })
  listen(): void {
    throw new Error(PLANTED.token);
  }
}

@Injectable()
class Others {
  readonly dead: unknown[] = [];

  @OnAppEvent('invoice.closed', { name: 'app' })
  app(): void {
    throw new Error(PLANTED.key);
  }

  @OnDeliveryEvent('delivery.dead', { name: 'alarm' })
  alarm(event: unknown): void {
    this.dead.push(event);
  }
}

describe('what is told of errors of a host', () => {
  const hosts = sessionHosts();
  const exporter = recordedSpans();

  const fail = (): never => {
    throw new Error(PLANTED.token);
  };
  const imports = [
    EventEmitterModule.forRoot({ wildcard: true }),
    MetricsModule.forRoot(),
    HealthModule.forRoot(),
  ];
  const boot = () =>
    hosts.boot({
      imports,
      providers: [...throwing, Queries, Listens, Others],
      sessions: { sessionId: fail, disposition: fail },
    });

  test('is their class, their code and where they were thrown: no message, unless it is said to be fit for that', async () => {
    exporter.reset();
    const host = await boot();
    await host.play('two-party-call');
    await host.app.get(EventLog).append('invoice.closed', { total: 1 });
    await host.pass(60_000);
    await until('the listener to fail', () => host.logger.of('EventBus').length > 0);
    const lines = host.logger.of('DeliveryRunner') as Record<string, unknown>[];
    const lineOf = (handler: string) => lines.find((line) => line['handler'] === handler);

    expect(lineOf('token')).toEqual({
      message: 'delivery',
      outcome: 'retry',
      handler: 'token',
      delivery: expect.any(Number),
      event: 'room_started',
      id: expect.stringMatching(/^EV_/),
      room: 'call-1001',
      project: 'default',
      attempt: 1,
      replay: 0,
      retryInMs: expect.any(Number),
      errorType: 'PaymentRefusedError',
      errorStack: expect.stringMatching(/^at .*host-errors\.spec\.ts:\d+:\d+\)?\nat /),
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(lineOf('text')).toMatchObject({ errorType: 'string' });
    expect(lineOf('discards')).toMatchObject({ outcome: 'discarded', errorType: 'DiscardDelivery' });
    expect(lineOf('fails')).toMatchObject({ outcome: 'dead', errorType: 'FailDelivery' });
    expect(lineOf('coded')).toMatchObject({ errorType: 'Error' });
    expect(lineOf('refused')).toMatchObject({ errorCode: 'ECONNREFUSED' });
    expect(lineOf('queries')).toMatchObject({ errorType: 'QueryFailedError', errorCode: expect.any(String) });
    expect(lineOf('told')).toMatchObject({ errorType: 'ToldError', errorMessage: 'the archive is full' });
    expect(lineOf('app')).toMatchObject({ event: 'invoice.closed', errorType: 'Error' });

    const url = await host.app.getUrl();
    const asked = ['/metrics', '/health', '/health/ready', '/health/live'];
    const answers = await Promise.all(asked.map(async (path) => (await fetch(url + path)).text()));
    const spans = exporter
      .getFinishedSpans()
      .map(({ name, attributes, events, status, links }) => ({ name, attributes, events, status, links }));
    expect(spans.length).toBeGreaterThan(20);
    const places = {
      'the log': host.logger.text(),
      'the spans': JSON.stringify(spans),
      'an answer': answers.join('\n'),
    };
    expect(leaksIn(places, PLANTED)).toEqual([]);

    // Whoever operates the deliveries reads what was thrown: where it is kept, the events themselves are.
    const kept = await host.app.get(Deliveries).get(lineOf('token')?.['delivery'] as number);
    expect(kept?.attempts[0]?.error).toContain(PLANTED.token);
    expect(JSON.stringify(host.app.get(Others).dead)).toContain(PLANTED.reason);
  });
});

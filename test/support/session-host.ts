import { type DynamicModule, type INestApplication, Injectable, type Provider } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CLOCK } from '../../src/event-log/clock.js';
import { EVENT_LOG_LIMITS, EventLog } from '../../src/event-log/event-log.js';
import { LivekitWebhookModule } from '../../src/livekit-webhook/livekit-webhook.module.js';
import type {
  LivekitWebhookModuleExtras,
  LivekitWebhookModuleOptions,
} from '../../src/livekit-webhook/livekit-webhook.options.js';
import { OnSessionEvent } from '../../src/sessions/events/on-session-event.decorator.js';
import type { SessionEvent, SessionEventName } from '../../src/sessions/events/session-events.js';
import type { Session } from '../../src/sessions/session.js';
import { SessionsModule } from '../../src/sessions/sessions.module.js';
import type { SessionsModuleExtras, SessionsModuleOptions } from '../../src/sessions/sessions.options.js';
import { SessionsService } from '../../src/sessions/sessions.service.js';
import { TestClock } from '../../src/testing/test-clock.js';
import { WebhookTester } from '../../src/testing/webhook-tester.js';
import { CAPTURE_KEY, type CapturedDelivery, deliveries } from './captures.js';
import { PATIENT } from './patience.js';
import { hostsOnFreshDatabase } from './hosts.js';
import { RecordingLogger } from './recording-logger.js';

/** An application with sessions, a clock to set, and a durable handler that keeps every session event it receives. */
export interface SessionHost {
  app: INestApplication;
  log: EventLog;
  service: SessionsService;
  tester: WebhookTester;
  logger: RecordingLogger;
  /** The session events that the handler received, in order. */
  events: SessionEvent[];
  /** Those of one name. */
  eventsOf<N extends SessionEventName>(name: N): SessionEvent<N>[];
  /** Plays a captured call, or the deliveries of it that `only` lets through, each at its time, and runs what is due then. */
  play(scenario: string, only?: (delivery: CapturedDelivery) => boolean): Promise<void>;
  /** Advances the clock, and runs everything due then. */
  pass(milliseconds: number): Promise<void>;
  /** Every session, the newest first. */
  sessions(): Promise<Session[]>;
  /** The one session there is. */
  session(): Promise<Session>;
}

/** The parts and options of such an application. */
export interface SessionHostShape {
  sessions?: SessionsModuleOptions & SessionsModuleExtras;
  webhook?: Partial<LivekitWebhookModuleOptions> & LivekitWebhookModuleExtras;
  imports?: DynamicModule[];
  providers?: Provider[];
  /** By default it starts shortly before the first captured call. */
  clock?: TestClock;
}

/** Whether a delivery is not of that event (of that participant, if one is given). */
export const without =
  (event: string, identity?: string) =>
  ({ body }: CapturedDelivery): boolean =>
    !is(event, identity)({ body });

/** Whether a delivery is of that event (of that participant, if one is given). */
export const is =
  (event: string, identity?: string) =>
  ({ body }: Pick<CapturedDelivery, 'body'>): boolean => {
    const json = JSON.parse(body) as { event: string; participant?: { identity: string } };
    return json.event === event && (identity === undefined || json.participant?.identity === identity);
  };

/** Boots such applications, all of a test on one database, and removes both after it. For use in `describe`. */
export const sessionHosts = () => hostsOnFreshDatabase(bootSessions);

/** Boots such an application on a database that its caller manages. */
export async function bootSessions(url: string, shape: SessionHostShape = {}): Promise<SessionHost> {
  const events: SessionEvent[] = [];

  @Injectable()
  class Recorder {
    @OnSessionEvent('*', { name: 'recorder', ordering: 'room' })
    record(event: SessionEvent): void {
      events.push(event);
    }
  }

  const logger = new RecordingLogger();
  const module = await Test.createTestingModule({
    imports: [
      LivekitWebhookModule.forRoot({ ...CAPTURE_KEY, ...shape.webhook, database: { url } }),
      SessionsModule.forRoot(shape.sessions),
      ...(shape.imports ?? []),
    ],
    providers: [Recorder, ...(shape.providers ?? [])],
  })
    .overrideProvider(CLOCK)
    .useValue(shape.clock ?? new TestClock('2026-11-23T08:48:40.000Z'))
    .overrideProvider(EVENT_LOG_LIMITS)
    .useValue(PATIENT)
    .setLogger(logger)
    .compile();
  const app = module.createNestApplication({ logger });
  await app.listen(0, '127.0.0.1');
  const tester = new WebhookTester(app, CAPTURE_KEY);
  const service = app.get(SessionsService);
  const sessions = async () => (await service.list({ limit: 200 })).sessions;
  return {
    app,
    log: app.get(EventLog),
    service,
    tester,
    logger,
    events,
    eventsOf: <N extends SessionEventName>(name: N) =>
      events.filter((event): event is SessionEvent<N> => event.name === name),
    async play(scenario, only = () => true) {
      await tester.play(deliveries(scenario).filter(only));
    },
    pass: (milliseconds) => tester.advance(milliseconds),
    sessions,
    async session() {
      const [session, ...others] = await sessions();
      if (session === undefined || others.length > 0) {
        throw new Error(`there are ${others.length + (session ? 1 : 0)} sessions`);
      }
      return session;
    },
  };
}

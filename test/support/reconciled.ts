import type { DynamicModule, INestApplication, Provider } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CLOCK, type Clock } from '../../src/event-log/clock.js';
import { EVENT_LOG_LIMITS } from '../../src/event-log/event-log.js';
import { EventStore } from '../../src/database/event-store.js';
import { LivekitWebhookModule } from '../../src/livekit-webhook/livekit-webhook.module.js';
import type { LivekitProject } from '../../src/livekit-webhook/livekit-webhook.options.js';
import type { Role } from '../../src/event-log/role.js';
import { Reconciler } from '../../src/sessions/reconciliation/reconciler.js';
import {
  type AddedEvent,
  type ReconciliationRound,
  Reconciliations,
} from '../../src/sessions/reconciliation/reconciliations.js';
import type { Session } from '../../src/sessions/session.js';
import { SessionsModule } from '../../src/sessions/sessions.module.js';
import type { SessionsModuleOptions } from '../../src/sessions/sessions.options.js';
import { SessionsService } from '../../src/sessions/sessions.service.js';
import { TestClock } from '../../src/testing/test-clock.js';
import { WebhookTester } from '../../src/testing/webhook-tester.js';
import { CAPTURE_KEY } from './captures.js';
import { PATIENT } from './patience.js';
import { hostsOnFreshDatabase } from './hosts.js';
import { LivekitStandIn } from './livekit-stand-in.js';
import { RecordingLogger } from './recording-logger.js';
import { until } from './until.js';

/** Longer than any test: rounds are run when a test says so. */
const NEVER = 24 * 3_600_000;

/** An application that queries a stand-in for LiveKit. */
export interface ReconciledHost {
  app: INestApplication;
  clock: TestClock;
  tester: WebhookTester;
  logger: RecordingLogger;
  /** Every round that was run. */
  rounds: ReconciliationRound[];
  /** Runs a round, and applies the events that it added to the sessions. */
  round(): Promise<AddedEvent[]>;
  /** The newest session of an id; undefined when there is none. */
  session(sessionId: string): Promise<Session | undefined>;
  /** How many reconciled events the log has. */
  countReconciled(): Promise<number>;
}

/** What the application has besides our modules. */
export interface HostParts extends SessionsModuleOptions {
  imports?: DynamicModule[];
  providers?: Provider[];
  /** Instead of the project of the captured calls. */
  projects?: LivekitProject[];
  role?: Role;
  /** Instead of the test's own clock, which stands still. */
  useClock?: Clock;
  /** Whether rounds are left to run by themselves. */
  isLeft?: boolean;
}

/** Boots such applications, all of a test on one database and one stand-in, and removes all after it. For use in `describe`. */
export function reconciledHosts() {
  let standIn: LivekitStandIn;
  const hosts = hostsOnFreshDatabase((url, parts?: HostParts) => bootReconciled(url, standIn, parts));

  beforeEach(async () => {
    standIn = await LivekitStandIn.start(CAPTURE_KEY);
  });

  afterEach(() => standIn.stop());

  return {
    get url(): string {
      return hosts.url;
    },
    get standIn(): LivekitStandIn {
      return standIn;
    },
    boot: hosts.boot,
  };
}

/** Boots it on a database; its first round, which finds nothing, is over. */
export async function bootReconciled(
  databaseUrl: string,
  standIn: LivekitStandIn,
  { imports = [], providers = [], projects, role, useClock, isLeft = false, ...options }: HostParts = {},
): Promise<ReconciledHost> {
  const clock = new TestClock();
  const logger = new RecordingLogger();
  const module = await Test.createTestingModule({
    imports: [
      LivekitWebhookModule.forRoot({
        ...(projects === undefined ? CAPTURE_KEY : { projects }),
        ...(role && { role }),
        database: { url: databaseUrl },
      }),
      SessionsModule.forRoot({ livekitUrl: standIn.url, reconcileInterval: NEVER, ...options }),
      ...imports,
    ],
    providers,
  })
    .overrideProvider(CLOCK)
    .useValue(useClock ?? clock)
    .overrideProvider(EVENT_LOG_LIMITS)
    .useValue(PATIENT)
    .setLogger(logger)
    .compile();
  const app = module.createNestApplication();
  const rounds: ReconciliationRound[] = [];
  app.get(Reconciliations).observe((round) => rounds.push(round));
  await app.listen(0, '127.0.0.1');
  if (!isLeft) await until('the first round', () => rounds.length > 0);
  const tester = new WebhookTester(app, CAPTURE_KEY);
  return {
    app,
    clock,
    tester,
    logger,
    rounds,
    async round() {
      await tester.drain();
      const done = await app.get(Reconciler).reconcileNow();
      await tester.drain();
      return done.flatMap(({ added }) => added);
    },
    async session(sessionId) {
      await tester.drain();
      const [newest] = await app.get(SessionsService).find(sessionId);
      return newest;
    },
    async countReconciled() {
      const [row] = await app
        .get(EventStore)
        .read((manager) =>
          manager.query<{ count: number | string }[]>(
            "SELECT count(*) AS count FROM livekit_events WHERE kind = 'reconciled'",
          ),
        );
      return Number(row?.count);
    },
  };
}

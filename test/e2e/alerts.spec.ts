import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { MetricsModule } from '../../src/metrics/metrics.module.js';
import { FailDelivery } from '../../src/event-log/handlers/outcomes.js';
import { signWebhook } from '../../src/testing/sign-webhook.js';
import { TestClock } from '../../src/testing/test-clock.js';
import { webhookBody, type WebhookFields } from '../../src/testing/webhook-body.js';
import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import {
  emptyDatabase,
  type FreshDatabase,
  freshDatabase,
  onPostgres,
  sqlQuery,
} from '../support/database.js';
import { handlerOf } from '../support/handlers.js';
import { holdWrites } from '../support/hold-writes.js';
import { LivekitStandIn } from '../support/livekit-stand-in.js';
import {
  alertExpressions,
  alerts,
  asAsked,
  namedIn,
  panelExpressions,
  type Rules,
  rules,
} from '../support/ops-files.js';
import { answering, OutletReceiver } from '../support/outlet-receiver.js';
import { PrivateServer } from '../support/private-server.js';
import { hasPrometheus, Prometheus } from '../support/prometheus.js';
import { bootSessions, type SessionHost } from '../support/session-host.js';
import { TEST_KEY } from '../support/signing.js';
import { until } from '../support/until.js';

/** How far windows reach here: some scrapes. */
const WINDOW = '20s';

/** All of this test. */
const LONG_WINDOW = '10m';

/** The silence after which LiveKit is taken for gone: what waits in production. */
const SILENCE = { inProduction: '> 900', here: '> 6' };

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** The alerts as they are, except that nothing is waited for: shorter windows, and none that must last. */
function hastened({ groups }: Rules): Rules {
  return {
    groups: groups.map((group) => ({
      ...group,
      rules: group.rules.map(({ for: _, ...rule }) => ({
        ...rule,
        expr: rule.expr
          .replaceAll(/\[(?:6h|1d)\]/g, `[${LONG_WINDOW}]`)
          .replaceAll(/\[(?:\d+m|1h)\]/g, `[${WINDOW}]`)
          .replace(SILENCE.inProduction, SILENCE.here),
      })),
    })),
  };
}

/** What `promtool` says, and its exit code. */
const promtool = (...args: string[]): [string, number | null] => {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return [`${stdout}${stderr}`, status];
};

const onPrometheus = hasPrometheus ? describe : describe.skip;
const unlessHere = hasPrometheus ? '' : ': `prometheus` and `promtool` are not installed here';

onPrometheus(`the alerts, as promtool sees them${unlessHere}`, () => {
  test('are what Prometheus takes for good ones', () => {
    expect(promtool('check', 'rules', 'ops/prometheus/alerts.yaml')).toEqual([
      expect.stringContaining(`SUCCESS: ${alerts.length} rules found`),
      0,
    ]);
  });

  test('fire in time, and not without cause', () => {
    expect(promtool('test', 'rules', 'test/support/alerts-over-time.yaml')).toEqual([
      expect.stringContaining('SUCCESS'),
      0,
    ]);
  });
});

onPrometheus(`each alert fires when there is its trouble${unlessHere}`, () => {
  const seen = new Set<string>();
  let database: FreshDatabase;
  let backendDatabase: FreshDatabase;
  let engineDatabase: FreshDatabase | undefined;
  let livekit: LivekitStandIn;
  let receiver: OutletReceiver;
  let app: ApplicationProcess;
  let backend: SessionHost;
  let redis: PrivateServer | undefined;
  let withEngine: ApplicationProcess | undefined;
  let prometheus: Prometheus;

  beforeAll(async () => {
    buildApplication();
    database = await emptyDatabase();
    livekit = await LivekitStandIn.start(TEST_KEY);
    receiver = await OutletReceiver.listen();
    app = await ApplicationProcess.start(database.url, {
      LIVEKIT_URL: livekit.url,
      RECONCILE_INTERVAL: '1s',
      SESSION_SETTLE: '0s',
      OUTLET_WEBHOOK_URL: receiver.url,
      OUTLET_WEBHOOK_SECRET: receiver.secret,
      OUTLET_WEBHOOK_ALLOW: '127.0.0.0/8',
    });
    backendDatabase = await freshDatabase();
    backend = await bootSessions(backendDatabase.url, {
      clock: new TestClock(Date.now()),
      sessions: { sessionId: () => undefined },
      imports: [MetricsModule.forRoot()],
      providers: [
        handlerOf('billing', () => {
          throw new FailDelivery('this room can never be billed');
        }),
        handlerOf('slow', () => delay(700), { names: ['ingress_started'], transactional: !onPostgres }),
      ],
    });
    const targets = [app.url, await backend.app.getUrl()];
    if (onPostgres) {
      redis = await PrivateServer.startFor('bullmq');
      engineDatabase = await emptyDatabase();
      withEngine = await ApplicationProcess.start(engineDatabase.url, redis?.env);
      targets.push(withEngine.url);
    }
    prometheus = await Prometheus.asking(targets, hastened(rules));
    await until('every process to have been asked', () =>
      isAtLeast('count(livekit_webhooks_build_info)', targets.length),
    );
    await until('nothing to be absent', async () => (await prometheus.firing()).size === 0);
  }, 180_000);

  afterAll(async () => {
    await prometheus?.stop();
    await killApplications();
    await backend?.app.close();
    await redis?.remove();
    await receiver?.close();
    await livekit?.stop();
    for (const one of [database, backendDatabase, engineDatabase]) await one?.drop();
  });

  /** Posts what LiveKit would, and tells the statuses of the answers. */
  const post = (
    events: readonly WebhookFields[],
    { to = app.url, key = TEST_KEY, age = 0 }: { to?: string; key?: typeof TEST_KEY; age?: number } = {},
  ): Promise<number[]> =>
    Promise.all(
      events.map(async (event) => {
        const body = webhookBody(event, { now: () => Date.now() - age });
        const headers = signWebhook(body, key);
        const { status } = await fetch(`${to}/voice/livekit/webhooks`, { method: 'POST', body, headers });
        return status;
      }),
    );

  /** Plays calls of five seconds that end now, one after the other; the caller leaves for that reason. */
  const calls = async (names: readonly string[], people: readonly string[], reason = 'CLIENT_INITIATED') => {
    for (const name of names) {
      const room = { name };
      const participants = people.map((identity) => ({ identity }));
      await post([{ event: 'room_started', room }], { age: 5_000 });
      await post(
        participants.map((participant) => ({ event: 'participant_joined', room, participant })),
        { age: 5_000 },
      );
      for (const participant of participants) {
        const left = { ...participant, disconnectReason: reason };
        await post([{ event: 'participant_left', room, participant: left } as WebhookFields]);
      }
      await post([{ event: 'room_finished', room }]);
    }
  };

  /** Waits until each of these has fired, none of which has before, while something is done again and again. */
  const fire = async (
    names: readonly string[],
    meanwhile: () => Promise<unknown> = async () => undefined,
  ) => {
    expect(names.filter((name) => seen.has(name))).toEqual([]);
    await until(`all of ${names.join(', ')} to fire`, async () => {
      await meanwhile();
      for (const name of await prometheus.firing()) seen.add(name);
      return names.every((name) => seen.has(name));
    });
  };

  const isAtLeast = async (expression: string, least: number): Promise<boolean> =>
    ((await prometheus.query(expression))[0]?.value ?? -Infinity) >= least;

  const sql = (statement: string) => sqlQuery(database.url, statement);

  test('and none while all is well', async () => {
    await calls(['call-1', 'call-2', 'call-3'], ['agent', 'caller']);
    await until('the calls to be counted', () =>
      isAtLeast('sum(livekit_session_events_total{event="session.settled",disposition="completed"})', 3),
    );
    await until('LiveKit to have been asked', () =>
      isAtLeast('sum(livekit_reconciliation_rounds_total{outcome="done"})', 2),
    );
    await prometheus.evaluated();
    expect([...(await prometheus.firing())]).toEqual([]);
  });

  test('when LiveKit owes us events, and forgets a recording', async () => {
    const since = Date.now() - 1_000;
    for (const n of numbers(5)) {
      const times = { creationTime: String(Math.floor(since / 1_000)), creationTimeMs: String(since) };
      const room = { sid: `RM_owed${n}`, name: `owed-${n}`, ...times };
      livekit.rooms.set(room.name, room);
      livekit.participants.set(room.name, [
        { sid: `PA_owed${n}`, identity: 'caller', state: 'ACTIVE', joinedAtMs: String(since) },
      ]);
    }
    await post([{ event: 'egress_started', room: { name: 'owed-0', sid: 'RM_owed0' } }]);
    await fire(['LivekitWebhooksLost', 'LivekitRecordingsLost']);
  });

  test('when a backend knows nothing of a session, and its handler fails', async () => {
    await backend.tester.deliver({ event: 'room_started', room: { name: 'unknown' } });
    await backend.tester.drain();
    await fire(['LivekitSessionsUnmatched', 'LivekitHandlerFailing', 'LivekitDeadLetters']);
  });

  test('when signatures, and what was signed, are wrong', async () => {
    const events = numbers(20).map(() => ({ event: 'room_started' }) as const);
    expect(new Set(await post(events, { key: { ...TEST_KEY, apiSecret: 'another secret' } }))).toEqual(
      new Set([401]),
    );
    const body = 'no event';
    const url = `${app.url}/voice/livekit/webhooks`;
    const { status } = await fetch(url, { method: 'POST', body, headers: signWebhook(body, TEST_KEY) });
    expect(status).toBe(400);
    await fire(['LivekitSignaturesFailing', 'LivekitEventsRefused', 'LivekitBodiesQuarantined']);
  });

  test('when an outlet fails', async () => {
    receiver.answer = answering(500);
    await calls(['unpublished'], ['agent', 'caller']);
    await fire(['LivekitOutletDown']);
  });

  test('when an outlet does not answer, and what it has to publish has waited for long', async () => {
    receiver.answer = () => undefined;
    await calls(
      numbers(12).map((n) => `waits-${n}`),
      ['agent', 'caller'],
    );
    await until('all but those in hand to wait', () =>
      isAtLeast('max(livekit_deliveries_pending{handler="outlet.webhook"})', 10),
    );
    await sql("UPDATE livekit_deliveries SET due_at = due_at - 600000 WHERE state = 'pending'");
    await sql('UPDATE livekit_events SET received_at = received_at - 600000');
    await fire(['LivekitDeliveriesBehind', 'LivekitOutletBehind']);
    receiver.answer = answering(204);
  });

  test('when calls find nobody, and when they drop', async () => {
    await calls(
      numbers(25).map((n) => `alone-${n}`),
      ['caller'],
    );
    await fire(['LivekitCallsUnanswered']);
    await calls(
      numbers(25).map((n) => `dropped-${n}`),
      ['agent', 'caller'],
      'CONNECTION_TIMEOUT',
    );
    await fire(['LivekitCallsDropping']);
  });

  test('when webhooks come late, and when none comes any more', async () => {
    await post(
      numbers(100).map(() => ({ event: 'room_started', room: { name: 'owed-0', sid: 'RM_owed0' } }) as const),
      { age: 60_000 },
    );
    await fire(['LivekitWebhooksLate', 'LivekitWebhooksStopped']);
  });

  test('when LiveKit can not be asked', async () => {
    livekit.troubles.set('ListRooms', { status: 500, code: 'internal', msg: 'out of order' });
    await fire(['LivekitReconciliationFailing']);
  });

  test('when the store fails', async () => {
    await sql('ALTER TABLE livekit_bodies RENAME TO bodies_elsewhere');
    await fire(['LivekitCommitsFailing', 'LivekitReceiveFailing'], () => post([{ event: 'room_started' }]));
    await sql('ALTER TABLE bodies_elsewhere RENAME TO livekit_bodies');
  });

  test('when the store is slow', async () => {
    const many = numbers(800).map(() => ({ event: 'track_published' }) as const);
    const held = await holdWrites(database.url, 'livekit_bodies');
    const slow = ['LivekitAppendQueueGrowing', 'LivekitReceiveSlow'];
    await fire(onPostgres ? [...slow, 'LivekitCommitsSlow'] : slow, () => post(many)).finally(() =>
      held.release(),
    );
  });

  (onPostgres ? test.skip : test)('when a handler keeps the writer (on SQLite, which has one)', async () => {
    await fire(['LivekitCommitsSlow'], () =>
      Promise.all(numbers(3).map(() => backend.tester.deliver({ event: 'ingress_started' }))),
    );
  });

  test('when events are given to nobody', async () => {
    await sql('ALTER TABLE livekit_deliveries RENAME COLUMN replay_no TO number_elsewhere');
    expect(await post([{ event: 'room_started', room: { name: 'unrouted' } }])).toEqual([200]);
    await sql('UPDATE livekit_events SET received_at = received_at - 600000 WHERE NOT routed');
    await fire(['LivekitRoutingBehind']);
    await sql('ALTER TABLE livekit_deliveries RENAME COLUMN number_elsewhere TO replay_no');
  });

  test('when the store can not be read', async () => {
    await sql('ALTER TABLE livekit_deliveries RENAME TO deliveries_elsewhere');
    await fire(['LivekitStoreUnreadable']);
    await sql('ALTER TABLE deliveries_elsewhere RENAME TO livekit_deliveries');
    await until('it to be read again', () => isAtLeast('livekit_outlet_lag_seconds', 0));
  });

  (onPostgres ? test : test.skip)('when the engine is down (an engine wants PostgreSQL)', async () => {
    await redis?.kill();
    await fire(['LivekitDeliveryEngineDown'], () =>
      post([{ event: 'room_started' }], { to: withEngine?.url ?? '' }),
    );
  });

  test('and what all alerts and panels name is there', async () => {
    const all = [...alertExpressions, ...panelExpressions].map(({ place, expr }) => ({
      place,
      expr: asAsked(expr, LONG_WINDOW),
    }));
    const missing: string[] = [];
    for (const { place, expr } of all) {
      await prometheus.query(expr); // or Prometheus says what is wrong with it
      for (const { metric, labels } of namedIn(expr)) {
        const there = await prometheus.query(`last_over_time(${metric}[${LONG_WINDOW}])`);
        const has = there.some((one) => labels.every((label) => label in one.metric));
        if (!has && !isOfNoEngine(metric)) missing.push(`${place}: ${metric}{${labels.join()}}`);
      }
    }
    expect(missing).toEqual([]);
  });

  test('and every panel shows something', async () => {
    const empty: string[] = [];
    for (const { place, expr } of panelExpressions) {
      const ago = asAsked(expr, LONG_WINDOW);
      if ((await prometheus.query(ago)).length === 0 && !isOfNoEngine(ago)) empty.push(place);
    }
    expect(empty).toEqual([]);
  });

  test('when a process is gone, and when all are', async () => {
    await app.kill();
    await fire(['LivekitTargetDown']);
    expect(seen).not.toContain('LivekitMetricsAbsent');
    await withEngine?.kill();
    await backend.app.close();
    await fire(['LivekitMetricsAbsent']);
  });

  test('and there is no alert that has not fired', () => {
    const all = alerts
      .map(({ alert }) => alert)
      .filter((name) => onPostgres || name !== 'LivekitDeliveryEngineDown');
    expect([...seen].toSorted()).toEqual(all.toSorted());
  });
});

/** Whether there is nothing of it on SQLite, where there is no engine. */
const isOfNoEngine = (expr: string): boolean => !onPostgres && expr.includes('livekit_delivery_engine_');

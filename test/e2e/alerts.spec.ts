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
import { testOnPostgres, testOnSqlite } from '../support/only-on.js';
import { answering, OutletReceiver } from '../support/outlet-receiver.js';
import { PrivateServer } from '../support/private-server.js';
import { hasPrometheus, Prometheus } from '../support/prometheus.js';
import { bootSessions, type SessionHost } from '../support/session-host.js';
import { TEST_KEY } from '../support/signing.js';
import { until } from '../support/until.js';

/** How far windows reach here: some scrapes. */
const WINDOW = '12s';

/** All of this test. */
const LONG_WINDOW = '10m';

/** The silence after which LiveKit is taken for gone: what waits in production. */
const SILENCE = { inProduction: '> 900', here: '> 6' };

/** The room of a call that goes on. */
const OWED = { name: 'owed-0', sid: 'RM_owed0' };

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

  /** Posts a body, and tells the status of the answer. */
  const send = async (body: string, headers: Record<string, string>, to = app.url): Promise<number> =>
    (await fetch(`${to}/voice/livekit/webhooks`, { method: 'POST', body, headers })).status;

  /** Posts what LiveKit would, all at once, and tells the statuses of the answers. */
  const post = (
    events: readonly WebhookFields[],
    { to = app.url, key = TEST_KEY, age = 0 }: { to?: string; key?: typeof TEST_KEY; age?: number } = {},
  ): Promise<number[]> =>
    Promise.all(
      events.map((event) => {
        const body = webhookBody(event, { now: () => Date.now() - age });
        return send(body, signWebhook(body, key), to);
      }),
    );

  /** Plays calls of five seconds that end now, all at once; the caller leaves for that reason. */
  const calls = (names: readonly string[], people: readonly string[], reason = 'CLIENT_INITIATED') =>
    Promise.all(
      names.map(async (name) => {
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
      }),
    );

  /** Sees that none of these fires, causes their trouble, and waits until each has fired, while something is done again and again. */
  const fire = async (
    names: readonly string[],
    cause: () => Promise<unknown>,
    again: () => Promise<unknown> = async () => undefined,
  ): Promise<void> => {
    await until(`none of ${names.join(', ')} to fire`, async () => {
      const firing = await prometheus.firing();
      return names.every((name) => !firing.has(name));
    });
    await cause();
    const fired = new Set<string>();
    await until(`all of ${names.join(', ')} to fire`, async () => {
      await again();
      for (const name of await prometheus.firing()) fired.add(name);
      return names.every((name) => fired.has(name));
    });
    for (const name of names) seen.add(name);
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
    // Here nothing must last before it fires: a busy machine answers a scrape too late now and then.
    let firing: string[] = [];
    await until('nothing to fire', async () => {
      await prometheus.evaluated();
      firing = [...(await prometheus.firing())];
      return firing.length === 0;
    }).catch(() => expect(firing).toEqual([]));
  });

  test('when LiveKit owes us events, and forgets a recording', async () => {
    const since = Date.now() - 1_000;
    const times = { creationTime: String(Math.floor(since / 1_000)), creationTimeMs: String(since) };
    const caller = { identity: 'caller', state: 'ACTIVE', joinedAtMs: String(since) };
    await fire(['LivekitWebhooksLost', 'LivekitRecordingsLost'], async () => {
      for (const n of numbers(5)) {
        livekit.rooms.set(`owed-${n}`, { sid: `RM_owed${n}`, name: `owed-${n}`, ...times });
        livekit.participants.set(`owed-${n}`, [{ sid: `PA_owed${n}`, ...caller }]);
      }
      await post([{ event: 'egress_started', room: OWED }]);
    });
  });

  test('when a backend knows nothing of a session, and its handler fails', async () => {
    await fire(['LivekitSessionsUnmatched', 'LivekitHandlerFailing', 'LivekitDeadLetters'], async () => {
      await backend.tester.deliver({ event: 'room_started', room: { name: 'unknown' } });
      await backend.tester.drain();
    });
  });

  test('when signatures, and what was signed, are wrong', async () => {
    const events = numbers(20).map(() => ({ event: 'room_started' }) as const);
    const key = { ...TEST_KEY, apiSecret: 'another secret' };
    const body = 'no event';
    await fire(['LivekitSignaturesFailing', 'LivekitEventsRefused', 'LivekitBodiesQuarantined'], async () => {
      expect(new Set(await post(events, { key }))).toEqual(new Set([401]));
      expect(await send(body, signWebhook(body, TEST_KEY))).toBe(400);
    });
  });

  test('when an outlet fails', async () => {
    await fire(['LivekitOutletDown'], async () => {
      receiver.answer = answering(500);
      await calls(['unpublished'], ['agent', 'caller']);
    });
  });

  test('when an outlet does not answer, and what it has to publish has waited for long', async () => {
    await fire(['LivekitDeliveriesBehind', 'LivekitOutletBehind'], async () => {
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
    });
    receiver.answer = answering(204);
  });

  test('when webhooks come late, and when none comes any more', async () => {
    const late = numbers(50).map(() => ({ event: 'room_started', room: OWED }) as const);
    await fire(['LivekitWebhooksLate', 'LivekitWebhooksStopped'], async () => {
      for (const _ of numbers(6)) await post(late, { age: 60_000 });
    });
  });

  test('when calls find nobody, and when they drop', async () => {
    const names = (what: string) => numbers(25).map((n) => `${what}-${n}`);
    await fire(['LivekitCallsUnanswered'], () => calls(names('alone'), ['caller']));
    await fire(['LivekitCallsDropping'], () =>
      calls(names('dropped'), ['agent', 'caller'], 'CONNECTION_TIMEOUT'),
    );
  });

  test('when LiveKit can not be asked', async () => {
    await fire(['LivekitReconciliationFailing'], async () => {
      livekit.troubles.set('ListRooms', { status: 500, code: 'internal', msg: 'out of order' });
    });
  });

  test('when the store fails', async () => {
    await fire(
      ['LivekitCommitsFailing', 'LivekitReceiveFailing'],
      () => sql('ALTER TABLE livekit_bodies RENAME TO bodies_elsewhere'),
      () => post([{ event: 'room_started' }]),
    );
    await sql('ALTER TABLE bodies_elsewhere RENAME TO livekit_bodies');
  });

  test('when the store is slow', async () => {
    const many = numbers(800).map(() => ({ event: 'track_published' }) as const);
    let held: { release(): Promise<void> } | undefined;
    await fire(
      ['LivekitAppendQueueGrowing', 'LivekitReceiveSlow', ...(onPostgres ? ['LivekitCommitsSlow'] : [])],
      async () => (held = await holdWrites(database.url, 'livekit_bodies')),
      () => post(many),
    ).finally(() => held?.release());
  });

  testOnSqlite('when a handler keeps the writer (on SQLite, which has one)', async () => {
    const few = numbers(3).map(() => ({ event: 'ingress_started' }) as const);
    await fire(
      ['LivekitCommitsSlow'],
      async () => undefined,
      () => Promise.all(few.map((event) => backend.tester.deliver(event))),
    );
  });

  test('when events are given to nobody', async () => {
    await fire(['LivekitRoutingBehind'], async () => {
      await sql('ALTER TABLE livekit_deliveries RENAME COLUMN replay_no TO number_elsewhere');
      expect(await post([{ event: 'room_started', room: { name: 'unrouted' } }])).toEqual([200]);
      await sql('UPDATE livekit_events SET received_at = received_at - 600000 WHERE NOT routed');
    });
    await sql('ALTER TABLE livekit_deliveries RENAME COLUMN number_elsewhere TO replay_no');
  });

  test('when the store can not be read', async () => {
    await fire(['LivekitStoreUnreadable'], () =>
      sql('ALTER TABLE livekit_deliveries RENAME TO deliveries_elsewhere'),
    );
    await sql('ALTER TABLE deliveries_elsewhere RENAME TO livekit_deliveries');
    await until('it to be read again', () => isAtLeast('livekit_outlet_lag_seconds', 0));
  });

  testOnPostgres('when the engine is down (an engine wants PostgreSQL)', async () => {
    await fire(
      ['LivekitDeliveryEngineDown'],
      async () => redis?.kill(),
      () => post([{ event: 'room_started' }], { to: withEngine?.url ?? '' }),
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
    await fire(['LivekitTargetDown'], () => app.kill());
    await fire(['LivekitMetricsAbsent'], () => Promise.all([withEngine?.kill(), backend.app.close()]));
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

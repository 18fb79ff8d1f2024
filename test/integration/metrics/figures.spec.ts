import { Injectable, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Counter, Gauge, Registry } from 'prom-client';
import { DatabaseUnreachableError } from '../../../src/database/errors.js';
import { EventStore } from '../../../src/database/event-store.js';
import { Deliveries } from '../../../src/event-log/deliveries/deliveries.js';
import { DiscardDelivery, FailDelivery } from '../../../src/event-log/handlers/outcomes.js';
import { LivekitWebhookModule } from '../../../src/livekit-webhook/livekit-webhook.module.js';
import { MetricsModule } from '../../../src/metrics/metrics.module.js';
import type { MetricsModuleOptions } from '../../../src/metrics/metrics.options.js';
import { METRICS_REGISTRY } from '../../../src/metrics/metrics.registry.js';
import { sqlQuery } from '../../support/database.js';
import { gate } from '../../support/gate.js';
import { handlerOf } from '../../support/handlers.js';
import { testOnPostgres } from '../../support/only-on.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { type SessionHost, sessionHosts } from '../../support/session-host.js';
import { TEST_KEY } from '../../support/signing.js';
import { until } from '../../support/until.js';

describe('the figures', () => {
  const hosts = sessionHosts();

  const boot = (options: MetricsModuleOptions = {}, providers: Type[] = []) =>
    hosts.boot({ sessions: { settle: 0 }, imports: [MetricsModule.forRoot(options)], providers });

  const registryOf = ({ app }: SessionHost) => app.get<Registry>(METRICS_REGISTRY);

  /** The lines of some metrics, without their help. */
  async function told(host: SessionHost, ...names: string[]): Promise<string[]> {
    const text = await registryOf(host).metrics();
    const isTold = (line: string) =>
      names.some((name) => new RegExp(`^${name}(_count|_sum)?[{ ]`).test(line));
    return text.split('\n').filter(isTold);
  }

  /** A figure; 0 when it is not told. */
  async function figure(host: SessionHost, line: string): Promise<number> {
    const all = (await registryOf(host).metrics()).split('\n');
    return Number(
      all
        .find((one) => one.startsWith(`${line} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  }

  test('tell what is appended, in how many commits, and what comes again', async () => {
    const host = await boot();
    await host.play('two-party-call');
    const count = (await host.tester.play('two-party-call')).length;
    await host.log.append('tick', 1, { id: 'once' });
    await host.log.append('tick', 1, { id: 'once' });
    await host.log.append('tick', 2, { id: 'once' });
    expect(await told(host, 'livekit_append_events_total')).toEqual([
      `livekit_append_events_total{kind="livekit",outcome="accepted"} ${count}`,
      `livekit_append_events_total{kind="livekit",outcome="duplicate"} ${count}`,
      'livekit_append_events_total{kind="app",outcome="accepted"} 1',
      'livekit_append_events_total{kind="app",outcome="duplicate"} 1',
      'livekit_append_events_total{kind="app",outcome="conflict"} 1',
    ]);
    const commits = await figure(host, 'livekit_append_commit_seconds_count{outcome="committed"}');
    expect(commits).toBe(await figure(host, 'livekit_append_batch_events_count'));
    expect(await figure(host, 'livekit_append_batch_events_sum')).toBe(2 * count + 3);
    expect(await figure(host, 'livekit_webhook_body_bytes_count')).toBe(2 * count);
    expect(await told(host, 'livekit_append_queue_depth', 'livekit_quarantine_bodies')).toEqual([
      'livekit_append_queue_depth 0',
      'livekit_quarantine_bodies 1',
    ]);
  });

  test('tell of what ends while the application stops', async () => {
    const held = gate();
    const registry = new Registry();
    let last = '';
    @Injectable()
    class LastLook {
      async beforeApplicationShutdown() {
        last = await registry.metrics();
      }
    }
    const host = await boot({ registry }, [handlerOf('slow', () => held.opened, { kind: 'app' }), LastLook]);
    await host.log.append('tick', 1);
    await until('the run', async () =>
      (await host.app.get(Deliveries).lag()).some(({ running }) => running > 0),
    );
    const closed = hosts.stop(host);
    held.open();
    await closed;
    expect(last).toContain('livekit_delivery_attempts_total{handler="slow",outcome="done"} 1');
  });

  test('are there from zero on, where the first of a kind is to be noticed', async () => {
    const host = await boot();
    for (const line of [
      'livekit_webhook_signature_failures_total{reason="body_hash"}',
      'livekit_webhook_requests_total{project="none",event="none",outcome="too_large"}',
      'livekit_webhook_requests_total{project="default",event="none",outcome="invalid"}',
    ]) {
      expect(await told(host, line.slice(0, line.indexOf('{')))).toContain(`${line} 0`);
    }
  });

  test('tell when the last verified event came, and before that, when the process began', async () => {
    const host = await boot();
    const lastEvent = 'livekit_webhook_last_event_timestamp_seconds{project="default"}';
    const begun = await figure(host, lastEvent);
    expect(begun).toBe(Date.parse('2026-11-23T08:48:40.000Z') / 1000);
    await host.pass(60_000);
    expect(await figure(host, lastEvent)).toBe(begun);
    await host.tester.deliver({ event: 'room_started', room: { sid: 'RM_1', name: 'call-1' } });
    expect(await figure(host, lastEvent)).toBe(begun + 60);
  });

  testOnPostgres('tell nothing of webhooks in a worker, which receives none', async () => {
    const host = await hosts.boot({ webhook: { role: 'worker' }, imports: [MetricsModule.forRoot()] });
    expect(await told(host, 'livekit_webhook_last_event_timestamp_seconds')).toEqual([]);
  });

  test('tell of each handler what has become of its deliveries, from zero on', async () => {
    const host = await boot({}, [
      handlerOf(
        'fails',
        (_, { attempt }) => {
          if (attempt < 3) throw new Error('not yet');
        },
        { kind: 'app' },
      ),
      handlerOf(
        'gives-up',
        () => {
          throw new FailDelivery('never');
        },
        { kind: 'app' },
      ),
      handlerOf(
        'wants-none',
        () => {
          throw new DiscardDelivery('not for me');
        },
        { kind: 'app' },
      ),
    ]);
    expect(await figure(host, 'livekit_delivery_attempts_total{handler="fails",outcome="dead"}')).toBe(0);
    await host.log.append('tick', null);
    for (let n = 0; n < 3; n += 1) await host.pass(60_000);
    const lines = await told(host, 'livekit_delivery_attempts_total', 'livekit_deliveries_dead');
    expect(lines.filter((line) => !/"(recorder|sessions)"/.test(line) && !line.endsWith(' 0'))).toEqual([
      'livekit_delivery_attempts_total{handler="fails",outcome="done"} 1',
      'livekit_delivery_attempts_total{handler="fails",outcome="retry"} 2',
      'livekit_delivery_attempts_total{handler="gives-up",outcome="dead"} 1',
      'livekit_delivery_attempts_total{handler="wants-none",outcome="discarded"} 1',
      'livekit_deliveries_dead{handler="gives-up"} 1',
    ]);
    expect(await figure(host, 'livekit_handler_run_seconds_count{handler="fails",outcome="failed"}')).toBe(2);
    expect(
      await figure(host, 'livekit_handler_run_seconds_count{handler="wants-none",outcome="discarded"}'),
    ).toBe(1);
  });

  test('count every session event once, though what makes them fails and is tried again', async () => {
    const host = await boot();
    // Whoever tells two things of sessions fails, in the middle of the transaction.
    await sqlQuery(hosts.url, "CREATE UNIQUE INDEX once ON livekit_events (kind) WHERE kind = 'session'");
    await host.play('two-party-call');
    await sqlQuery(hosts.url, 'DROP INDEX once');
    for (let n = 0; n < 12; n += 1) await host.pass(3_600_000);
    expect(
      await figure(host, 'livekit_delivery_attempts_total{handler="sessions",outcome="retry"}'),
    ).toBeGreaterThan(0);
    const stored = await sqlQuery<{ name: string; count: number | string }>(
      hosts.url,
      "SELECT name, count(*) AS count FROM livekit_events WHERE kind = 'session' GROUP BY name",
    );
    expect(stored.length).toBeGreaterThan(3);
    const metric = registryOf(host).getSingleMetric('livekit_session_events_total') as Counter;
    const counts = async () => {
      const sums: Record<string, number> = {};
      for (const { labels, value } of (await metric.get()).values) {
        if (value > 0) sums[String(labels['event'])] = (sums[String(labels['event'])] ?? 0) + value;
      }
      return sums;
    };
    const expected = Object.fromEntries(stored.map(({ name, count }) => [name, Number(count)]));
    await until('all to be counted', async () => (await counts())['session.settled'] === 1);
    expect(await counts()).toEqual(expected);
  });

  test('tell how sessions went, how long they were, and how long who was there', async () => {
    const host = await boot();
    await host.play('two-party-call');
    await host.pass(3_600_000);
    const { disposition, durationSeconds, participantSeconds } = await host.session();
    const settled = `livekit_session_events_total{event="session.settled",disposition="${disposition}"}`;
    await until('the session to be counted', async () => (await figure(host, settled)) === 1);
    expect(await told(host, 'livekit_session_duration_seconds', 'livekit_participant_seconds_total')).toEqual(
      [
        `livekit_session_duration_seconds_sum{disposition="${disposition}"} ${durationSeconds}`,
        `livekit_session_duration_seconds_count{disposition="${disposition}"} 1`,
        ...Object.entries(participantSeconds).map(
          ([kind, seconds]) => `livekit_participant_seconds_total{kind="${kind}"} ${seconds}`,
        ),
      ],
    );
  });

  test('count whoever is in two sessions twice', async () => {
    const host = await boot();
    for (const sid of ['RM_1', 'RM_2']) {
      const room = { sid, name: `call-${sid}` };
      await host.tester.deliver({
        event: 'participant_joined',
        room,
        participant: { sid: `PA_${sid}`, identity: 'everywhere' },
      });
    }
    await host.tester.drain();
    expect(await told(host, 'livekit_sessions_active', 'livekit_participants_active')).toEqual([
      'livekit_sessions_active 2',
      'livekit_participants_active{kind="standard"} 2',
      'livekit_participants_active{kind="agent"} 0',
      'livekit_participants_active{kind="sip"} 0',
    ]);
  });

  test('are counted into a registry of the host, and leave it with the application', async () => {
    const registry = new Registry();
    const own = new Counter({ name: 'host_things_total', help: 'Things.', registers: [registry] });
    const names = () => registry.getMetricsAsArray().map(({ name }) => name);
    for (let times = 0; times < 2; times += 1) {
      const host = await boot({ registry });
      own.inc();
      const text = await (await fetch(`${await host.app.getUrl()}/metrics`)).text();
      expect(text).toContain(`host_things_total ${times + 1}`);
      expect(names()).toContain('livekit_webhook_requests_total');
      await hosts.stop(host);
      expect(names()).toEqual(['host_things_total']);
    }
  });

  test('are not left in a registry of the host by an application that did not start', async () => {
    const registry = new Registry();
    const imports = [
      LivekitWebhookModule.forRoot({ ...TEST_KEY, database: { url: 'postgres://127.0.0.1:1/nowhere' } }),
      MetricsModule.forRoot({ registry }),
    ];
    const starting = Test.createTestingModule({ imports }).setLogger(new RecordingLogger()).compile();
    await expect(starting).rejects.toThrow(DatabaseUnreachableError);
    expect(registry.getMetricsAsArray()).toEqual([]);
    await boot({ registry });
    expect(registry.getSingleMetric('livekit_webhook_requests_total')).toBeDefined();
  });

  test('stay in a registry of the host when another application that could not use it is closed', async () => {
    const registry = new Registry();
    await boot({ registry });
    const imports = [
      LivekitWebhookModule.forRoot({ ...TEST_KEY, database: { url: ':memory:' } }),
      MetricsModule.forRoot({ registry }),
    ];
    const other = await Test.createTestingModule({ imports }).setLogger(new RecordingLogger()).compile();
    await expect(other.init()).rejects.toThrow('already been registered');
    await other.close();
    expect(registry.getSingleMetric('livekit_webhook_requests_total')).toBeDefined();
  });

  test('of the process leave a registry of the host, too, but for those that are its own', async () => {
    const registry = new Registry();
    const own = new Gauge({
      name: 'process_start_time_seconds',
      help: 'Known already.',
      registers: [registry],
    });
    const names = () => registry.getMetricsAsArray().map(({ name }) => name);
    for (let times = 0; times < 2; times += 1) {
      const host = await boot({ registry, processMetrics: true });
      const text = await registry.metrics();
      expect(text).toMatch(/^process_cpu_seconds_total \d/m);
      expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
      expect(names()).not.toContain('nodejs_active_handles_total');
      await hosts.stop(host);
      expect(names()).toEqual(['process_start_time_seconds']);
    }
    expect(registry.getSingleMetric('process_start_time_seconds')).toBe(own);
  });

  test('read the store once, however many ask at the same time', async () => {
    const host = await boot();
    const store = host.app.get(EventStore);
    const read = store.read.bind(store);
    let reads = 0;
    store.read = (query) => {
      reads += 1;
      return read(query);
    };
    const registry = registryOf(host);
    const texts = await Promise.all(Array.from({ length: 20 }, () => registry.metrics()));
    expect(new Set(texts.map((text) => /^livekit_sessions_active 0$/m.test(text)))).toEqual(new Set([true]));
    expect(reads).toBeLessThan(20);
  });
});

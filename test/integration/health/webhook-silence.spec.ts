import { appendBatch } from '../../../src/event-log/append/append-batch.js';
import { StoreClock } from '../../../src/event-log/clock.js';
import { LOOKED_THROUGH, WebhookTimes } from '../../../src/event-log/last-webhooks.js';
import { HealthModule } from '../../../src/health/health.module.js';
import { TestClock } from '../../../src/testing/test-clock.js';
import { CAPTURE_KEY } from '../../support/captures.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { newEvent } from '../../support/events.js';
import { downWhileReady, healthOf } from '../../support/health.js';
import { LivekitStandIn, type Told } from '../../support/livekit-stand-in.js';
import { testOnPostgres } from '../../support/only-on.js';
import { bootReconciled, type HostParts, type ReconciledHost } from '../../support/reconciled.js';
import { NOW } from '../../support/webhook.js';
import { freshStores } from '../../support/stores.js';

const BEGIN = Date.parse('2026-11-23T09:00:00.000Z');
const SECOND = 1_000;
const MINUTE = 60;

/** A room as LiveKit tells it. */
const room = (name: string, openedAt: number, numParticipants = 2): Told => ({
  sid: `RM_${name}`,
  name,
  emptyTimeout: 300,
  departureTimeout: 20,
  creationTime: String(Math.floor(BEGIN / SECOND) + openedAt),
  creationTimeMs: String(BEGIN + openedAt * SECOND),
  numParticipants,
});

describe('the health of webhooks', () => {
  let database: FreshDatabase;
  let standIn: LivekitStandIn;
  let hosts: ReconciledHost[];
  let host: ReconciledHost;

  beforeEach(async () => {
    database = await freshDatabase();
    standIn = await LivekitStandIn.start(CAPTURE_KEY);
    hosts = [];
  });

  afterEach(async () => {
    for (const { app } of hosts) await app.close();
    await standIn.stop();
    await database.drop();
  });

  const boot = async (webhookSilence?: number | false, parts: HostParts = {}): Promise<ReconciledHost> => {
    host = await bootReconciled(database.url, standIn, {
      imports: [
        HealthModule.forRoot({
          ...(webhookSilence !== undefined && { webhookSilence }),
          deliveryLag: false, // the clock leaps over what is still to be delivered
          routingLag: false,
        }),
      ],
      useClock: clock,
      ...parts,
    });
    hosts.push(host);
    return host;
  };

  let clock: TestClock;
  beforeEach(() => {
    clock = new TestClock(BEGIN);
  });

  const at = (seconds: number): void => clock.set(BEGIN + seconds * SECOND);
  const webhooksIn = async () => (await healthOf(host.app)).details['webhooks'];
  const webhook = async (event: string, seconds: number, fields: Told): Promise<void> => {
    at(seconds);
    const createdAt = String(Math.floor(BEGIN / SECOND) + seconds);
    await host.tester.deliver(JSON.stringify({ event, id: `EV_${event}_${seconds}`, createdAt, ...fields }));
    if (host === hosts[0]) await host.tester.drain(); // an edge has nothing to drain
  };

  test('is down while LiveKit opens rooms that nothing comes of, and up when something does', async () => {
    await boot();
    expect(await webhooksIn()).toEqual({
      status: 'up',
      projects: { default: { status: 'up', lastWebhookAt: null, rooms: 0 } },
    });
    standIn.rooms.set('call', room('call', 20));
    at(75);
    expect(await downWhileReady(host.app)).toEqual([]); // they may be on their way
    at(81);
    expect(await downWhileReady(host.app)).toEqual(['webhooks']);
    expect(await webhooksIn()).toEqual({
      status: 'down',
      projects: {
        default: {
          status: 'down',
          lastWebhookAt: null,
          rooms: 1,
          message: expect.stringMatching(
            /1 rooms in use since 2026-11-23T09:00:20.000Z: compare `webhook.urls`/,
          ),
        },
      },
    });
    const calls = standIn.count('ListRooms');
    for (let n = 0; n < 5; n += 1) await healthOf(host.app);
    expect(standIn.count('ListRooms')).toBe(calls);

    await webhook('room_started', 90, { room: room('call', 20) });
    expect(await downWhileReady(host.app)).toEqual([]);
    expect(await webhooksIn()).toMatchObject({
      projects: { default: { lastWebhookAt: '2026-11-23T09:01:30.000Z' } },
    });
  });

  test('is down, too, when they are refused: what is not verified is no webhook', async () => {
    await boot();
    standIn.rooms.set('call', room('call', 20));
    at(90);
    const body = JSON.stringify({ event: 'room_started', id: 'EV_1', room: room('call', 20) });
    const { status } = await host.tester.deliver(body, { headers: { authorization: 'forged' } });
    expect(status).toBe(401);
    expect(await downWhileReady(host.app)).toEqual(['webhooks']);
  });

  test('does not mind a long call in which nothing happens, nor an empty room', async () => {
    await boot();
    standIn.rooms.set('call', room('call', 20));
    await webhook('room_started', 20, { room: room('call', 20) });
    standIn.rooms.set('empty', room('empty', 60, 0));
    for (const minutes of [2, 60, 600]) {
      at(minutes * MINUTE);
      expect(await downWhileReady(host.app)).toEqual([]);
    }
  });

  test('does not mind rooms that were opened when no process was there to be told', async () => {
    standIn.rooms.set('call', room('call', -600));
    await boot();
    at(10 * MINUTE);
    expect(await downWhileReady(host.app)).toEqual([]);
  });

  test('is down when none comes for longer than the host says is usual, while somebody is in a room', async () => {
    await boot(10 * MINUTE * SECOND);
    standIn.rooms.set('call', room('call', 20));
    await webhook('room_started', 20, { room: room('call', 20) });
    at(20 + 10 * MINUTE);
    expect(await downWhileReady(host.app)).toEqual([]);
    at(21 + 10 * MINUTE);
    expect(await downWhileReady(host.app)).toEqual(['webhooks']);
    standIn.rooms.clear();
    at(60 + 10 * MINUTE); // LiveKit is asked again
    expect(await downWhileReady(host.app)).toEqual([]);
  });

  test('is never down when the host says so', async () => {
    await boot(false);
    standIn.rooms.set('call', room('call', 20));
    at(60 * MINUTE);
    expect(await webhooksIn()).toMatchObject({ status: 'up', projects: { default: { rooms: 1 } } });
  });

  test('leaves it to the health of LiveKit when LiveKit can not be asked', async () => {
    await boot(10 * MINUTE * SECOND);
    standIn.rooms.set('call', room('call', 20));
    await webhook('room_started', 20, { room: room('call', 20) });
    standIn.troubles.set('ListRooms', { status: 503, code: 'unavailable', msg: 'no healthy upstream' });
    at(60 * MINUTE);
    expect(await downWhileReady(host.app)).toEqual(['livekit']);
    expect(await webhooksIn()).toMatchObject({ projects: { default: { status: 'up', rooms: null } } });
  });

  describe('of which LiveKit is not asked', () => {
    const WITHOUT = { livekitUrl: {}, isLeft: true };
    const caller = { sid: 'PA_1', identity: 'caller', state: 'ACTIVE', joinedAt: String(BEGIN / SECOND) };

    const callTill = async (seconds: number): Promise<void> => {
      await webhook('room_started', 1, { room: room('call', 0) });
      await webhook('participant_joined', 2, { room: room('call', 0), participant: caller });
      at(seconds);
    };

    test('is only told', async () => {
      await boot(undefined, WITHOUT);
      await callTill(60 * MINUTE);
      expect(await webhooksIn()).toEqual({
        status: 'up',
        projects: {
          default: { status: 'up', lastWebhookAt: '2026-11-23T09:00:02.000Z', rooms: null },
        },
      });
      expect((await healthOf(host.app)).details['livekit']).toEqual({ status: 'up', projects: {} });
      expect(standIn.calls).toEqual([]);
    });

    test('is down when the host says what is usual, while a session is active', async () => {
      await boot(10 * MINUTE * SECOND, WITHOUT);
      at(60 * MINUTE);
      expect(await downWhileReady(host.app)).toEqual([]);
      await callTill(3 + 10 * MINUTE);
      expect(await downWhileReady(host.app)).toEqual(['webhooks']);
      await webhook('room_finished', 4 + 10 * MINUTE, { room: room('call', 0) });
      expect(await downWhileReady(host.app)).toEqual([]);
      at(30 * MINUTE);
      expect(await downWhileReady(host.app)).toEqual([]);
    });
  });

  testOnPostgres('is the same in a worker, which gets none, as at the edge', async () => {
    const worker = await boot(undefined, { role: 'worker' });
    const edge = await boot(undefined, { role: 'edge', isLeft: true });
    standIn.rooms.set('call', room('call', 20));
    at(90);
    for (const { app } of [edge, worker]) expect(await downWhileReady(app)).toEqual(['webhooks']);
    await webhook('room_started', 91, { room: room('call', 20) });
    for (const { app } of [edge, worker]) expect(await downWhileReady(app)).toEqual([]);
  });
});

describe('the last webhooks', () => {
  const fresh = freshStores();

  const last = () => new WebhookTimes(fresh.store, new StoreClock(fresh.store, new TestClock(NOW))).last();
  const run = (sql: string) => fresh.store.write((manager) => manager.query(sql));

  test('are those of each project, whatever else is in the log, and however much', async () => {
    expect(await last()).toEqual({ now: NOW, at: new Map(), othersBefore: null });
    const events = [
      { ...newEvent({ id: 'EV_1' }), source: 'silent' },
      { ...newEvent({ id: 'EV_2' }), source: 'busy' },
      { ...newEvent({ id: 'EV_3' }), source: 'busy', kind: 'app' as const },
    ];
    await fresh.store.write((manager) => appendBatch(fresh.store.dialect, manager, events));
    await run(`UPDATE livekit_events SET received_at = ${NOW} - 10000 + 1000 * seq`);
    const at = (id: number) => NOW - 10_000 + 1_000 * id;
    expect(await last()).toEqual({
      now: NOW,
      at: new Map([
        ['silent', at(1)],
        ['busy', at(2)],
      ]),
      othersBefore: null,
    });
    await run(
      `INSERT INTO livekit_events (source, event_id, kind, name, occurred_at, received_at, body_sha256)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${LOOKED_THROUGH - 2})
       SELECT 'app', 'n' || i, 'app', 'tick', ${NOW}, ${NOW}, '' FROM n`,
    );
    expect(await last()).toEqual({ now: NOW, at: new Map([['busy', at(2)]]), othersBefore: at(2) });
  });
});

import { type INestApplication, Module } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  CLOCK,
  Deliveries,
  LivekitWebhookModule,
  type LivekitWebhookModuleOptions,
  SessionsModule,
  SessionsService,
} from '../../../src/index.js';
import {
  CAPTURED_KEY,
  capturedCall,
  TestClock,
  webhookBody,
  WebhookTester,
  WebhookTestingError,
} from '../../../src/testing/index.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { BillingModule, Ledger } from './billing.js';

const KEY = { apiKey: 'APItest', apiSecret: 'a-secret-that-only-tests-know' };
const ACCEPTED = { status: 200, body: { status: 'accepted' } };
const DUPLICATE = { status: 200, body: { status: 'duplicate' } };

@Module({})
class WithoutWebhooks {}

const ADAPTERS = [
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
] as const;

describe.each(ADAPTERS)("a test of a host's own handlers on %s", (_name, makeAdapter) => {
  let database: FreshDatabase;
  let app: INestApplication;
  let livekit: WebhookTester;
  let ledger: Ledger;

  const boot = async (
    options: Partial<LivekitWebhookModuleOptions & { path: string }> = {},
    clock: unknown = new TestClock(),
  ): Promise<void> => {
    const module = await Test.createTestingModule({
      imports: [
        LivekitWebhookModule.forRoot({ ...KEY, database: { url: database.url }, ...options }),
        SessionsModule.forRoot(),
        BillingModule,
      ],
    })
      .overrideProvider(CLOCK)
      .useValue(clock)
      .compile();
    app = module.createNestApplication(makeAdapter(), { logger: false });
    livekit = new WebhookTester(app, KEY);
    ledger = app.get(Ledger);
  };

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    await app.close();
    await database.drop();
  });

  test('a call is billed once, in whatever order and however often its webhooks come', async () => {
    await boot();
    const answers = await livekit.play('two-party-call', { order: 'reversed', repeat: 2 });
    expect(answers).toHaveLength(2 * capturedCall('two-party-call').deliveries.length);
    expect(answers.slice(0, 2)).toEqual([ACCEPTED, DUPLICATE]);
    expect(ledger.billed).toEqual(['call-1001']);
    expect(ledger.mailed).toEqual([{ call: 'call-1001' }]);
  });

  test('a bill that fails is written when its retry is due, and not before', async () => {
    await boot();
    ledger.isDown = true;
    expect(await livekit.deliver({ event: 'room_finished', room: { name: 'order-4711' } })).toEqual(ACCEPTED);
    await livekit.drain();
    ledger.isDown = false;
    await livekit.drain();
    expect(ledger.billed).toEqual([]);
    await livekit.advance(700); // a second, less a fifth at most
    expect(ledger.billed).toEqual([]);
    await livekit.advance(600);
    expect(ledger.billed).toEqual(['order-4711']);
    expect(ledger.mailed).toEqual([{ call: 'order-4711' }]);
    const { deliveries } = await app.get(Deliveries).list({ handler: 'billing' });
    expect(deliveries).toMatchObject([{ state: 'done', attempt: 2 }]);
  });

  test('a bill that can never be written is a dead letter in the end', async () => {
    await boot();
    ledger.isDown = true;
    await livekit.deliver({ event: 'room_finished' });
    await livekit.drain();
    for (let attempt = 2; attempt <= 20; attempt += 1) await livekit.advance(2 * 3_600_000);
    const { deliveries } = await app.get(Deliveries).list({ state: 'dead' });
    expect(deliveries).toMatchObject([{ handler: 'billing', attempt: 20 }]);
  });

  test('retries that fall due within a call run within it', async () => {
    await boot();
    ledger.isDown = true;
    await livekit.deliver({ event: 'room_finished', room: { name: 'before' } });
    await livekit.drain();
    ledger.isDown = false;
    await livekit.play('two-party-call');
    expect(ledger.billed).toEqual(['before', 'call-1001']);
  });

  // On PostgreSQL what still runs would lose its lease to the leap, and be run once more.
  test.each([
    ['moved on', () => livekit.advance(2 * 3_600_000)],
    ['that of a call', () => livekit.play('two-party-call')],
  ])('what is due is handled before time is %s', async (_how, move) => {
    await boot();
    const before = livekit.clock.now();
    await livekit.deliver({ event: 'room_finished', room: { name: 'earlier' } });
    await move();
    const { deliveries } = await app.get(Deliveries).list({ handler: 'mail-bill' });
    const { event, attempt } = deliveries.at(-1) ?? {};
    expect([event?.occurredAt.getTime(), attempt]).toEqual([before, 1]);
  });

  test('the clock is as late as the call, whose events come out as they were recorded', async () => {
    await boot();
    const { deliveries, truth } = capturedCall('two-party-call');
    await livekit.play({ name: 'a part of it', deliveries: deliveries.slice(0, 5), truth });
    expect(livekit.clock.now()).toBe(Date.parse(deliveries[4]?.receivedAt ?? ''));
    await livekit.play(deliveries.slice(5), { order: 'shuffled' });
    expect(livekit.clock.now()).toBe(Date.parse(deliveries.at(-1)?.receivedAt ?? ''));
    const { sessions } = await app.get(SessionsService).list();
    expect(sessions).toMatchObject([{ sessionId: 'call-1001', state: 'ended', durationSeconds: 5.565 }]);
  });

  test('a call that a test makes up becomes a session', async () => {
    await boot();
    const room = { name: 'made-up' };
    const participant = { identity: 'ann', kind: 'SIP' };
    await livekit.deliver({ event: 'room_started', room });
    await livekit.deliver({ event: 'participant_joined', room, participant });
    await livekit.advance(90_000);
    await livekit.deliver({ event: 'participant_left', room, participant });
    await livekit.deliver({ event: 'room_finished', room });
    await livekit.drain();
    const { sessions } = await app.get(SessionsService).list();
    expect(sessions).toMatchObject([
      {
        sessionId: 'made-up',
        state: 'ended',
        durationSeconds: 90,
        participants: [{ identity: 'ann', kind: 'sip' }],
      },
    ]);
  });

  test('a webhook is sent as it is told to be: a body, a scheme, headers, a path', async () => {
    await boot();
    const body = webhookBody({ event: 'room_finished' }, livekit.clock);
    expect(await livekit.deliver(body)).toEqual(ACCEPTED);
    expect(await livekit.deliver(Buffer.from(body), { scheme: 'hmac' })).toEqual(DUPLICATE);
    const unsigned = { headers: { authorization: null } };
    expect((await livekit.deliver(body, unsigned)).status).toBe(401);
    expect((await livekit.deliver(body, { headers: { 'Content-Encoding': 'gzip' } })).status).toBe(415);
    expect(await livekit.deliver('no webhook')).toEqual({ status: 400, body: { status: 'invalid' } });
    expect((await livekit.deliver(body, { path: '/elsewhere' })).status).toBe(404);
    livekit.clock.advance(11 * 60_000);
    expect((await livekit.deliver(body, { scheme: 'hmac' })).status).toBe(401); // stale
  });

  test("webhooks find their path: the module's own, and the global prefix", async () => {
    await boot({ path: '/hooks/livekit' });
    app.setGlobalPrefix('api');
    await livekit.play('two-party-call');
    expect(ledger.billed).toEqual(['call-1001']);
    const elsewhere = new WebhookTester(app, { ...KEY, path: '/hooks/livekit' });
    await expect(elsewhere.play('two-party-call')).rejects.toThrow(/answered 404.*with the global prefix/s);
  });

  test('an application that listens already is left to', async () => {
    await boot();
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    await livekit.deliver({ event: 'room_finished', room: { name: 'heard' } });
    await livekit.drain();
    expect(ledger.billed).toEqual(['heard']);
    expect(await app.getUrl()).toBe(url);
    expect((await fetch(`${url}/bills`, { method: 'POST' })).status).toBe(201);
  });

  test('webhooks that are sent at once all arrive, the first ones too', async () => {
    await boot();
    const rooms = Array.from({ length: 20 }, (_, n) => `room-${n}`);
    await Promise.all(rooms.map((name) => livekit.deliver({ event: 'room_finished', room: { name } })));
    await livekit.drain();
    expect(ledger.billed.toSorted()).toEqual(rooms.toSorted());
  });

  test('a call under another key is refused with the cure', async () => {
    await boot(CAPTURED_KEY);
    const playing = livekit.play('two-party-call');
    await expect(playing).rejects.toThrow(WebhookTestingError);
    await expect(playing).rejects.toThrow(/delivery 1 .*answered 401.*`apiSecret` of the module/);
  });

  test("webhooks can be sent by the machine's clock, and calls can't be played by it", async () => {
    await boot({}, { now: () => Date.now() });
    expect(await livekit.deliver({ event: 'room_finished' })).toEqual(ACCEPTED);
    await expect(livekit.play('two-party-call')).rejects.toThrow(WebhookTestingError);
    await expect(livekit.advance(1_000)).rejects.toThrow(/overrideProvider\(CLOCK\)/);
  });
});

describe('a tester', () => {
  test('says what is missing: the module, or the application', async () => {
    const module = await Test.createTestingModule({ imports: [WithoutWebhooks] }).compile();
    const app = module.createNestApplication({ logger: false });
    expect(() => new WebhookTester(app, KEY)).toThrow(WebhookTestingError);
    expect(() => new WebhookTester(app, KEY)).toThrow(/add `LivekitWebhookModule\.forRoot/);
    // @ts-expect-error a testing module is not yet an application
    expect(() => new WebhookTester(module, KEY)).toThrow(/createNestApplication/);
    await app.close();
  });
});

import { Inject, Injectable, type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { LivekitEvent } from '../../../src/livekit-webhook/livekit-events.js';
import { CAPTURE_KEY, type CapturedDelivery, deliveries } from '../../support/captures.js';
import { type FreshDatabase, freshDatabase, sqlQuery } from '../../support/database.js';
import { ADAPTERS, bootHost, type Host, type HostShape } from '../../support/host.js';
import { until } from '../../support/until.js';
import { newId, webhook } from '../../support/webhook.js';

const DATABASE_URL = Symbol('database url');

/** What a host listens with: live, and looking into the store as it hears. */
@Injectable()
class LiveView {
  readonly joined: LivekitEvent<'participant_joined'>[] = [];
  readonly storedWhenHeard: number[] = [];
  readonly tracks: string[] = [];

  constructor(@Inject(DATABASE_URL) private readonly databaseUrl: string) {}

  @OnEvent('livekit.participant_joined')
  async onJoined(event: LivekitEvent<'participant_joined'>): Promise<void> {
    const sql = 'SELECT * FROM livekit_events WHERE event_id = ?';
    this.storedWhenHeard.push((await sqlQuery(this.databaseUrl, sql, [event.id])).length);
    this.joined.push(event);
  }

  @OnEvent('livekit.track_published')
  onTrack({ id }: LivekitEvent<'track_published'>): void {
    this.tracks.push(id);
  }
}

@Injectable()
class Throws {
  @OnEvent('livekit.participant_joined', { prependListener: true })
  thrower(): void {
    throw new Error('a listener that throws');
  }

  @OnEvent('livekit.participant_joined', { prependListener: true, suppressErrors: false })
  async rejecter(): Promise<void> {
    throw new Error('a listener that rejects');
  }
}

const requests = new AsyncLocalStorage<string>();

/** Keeps something for the time of each request, as nestjs-cls does. */
@Module({})
class KeepsRequests implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    const keep = (_request: unknown, _response: unknown, next: () => void) => requests.run('a request', next);
    consumer.apply(keep).forRoutes('{*path}');
  }
}

describe.each(ADAPTERS)('the event bus on %s', (adapter) => {
  let database: FreshDatabase;
  let host: Host;
  let view: LiveView;

  const boot = async (
    shape: HostShape = {},
    emitter: Parameters<typeof EventEmitterModule.forRoot>[0] = {},
  ) => {
    host = await bootHost(adapter, {
      databaseUrl: database.url,
      imports: [EventEmitterModule.forRoot(emitter)],
      ...shape,
      providers: [LiveView, { provide: DATABASE_URL, useValue: database.url }, ...(shape.providers ?? [])],
    });
    view = host.app.get(LiveView);
  };
  const heard = async (count: number) => {
    await until(`${count} joins`, () => view.joined.length >= count);
    return view.joined;
  };

  beforeAll(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    await host.close();
  });

  afterAll(() => database.drop());

  test.each([{ wildcard: true }, { wildcard: false }])(
    'tells listeners after the commit, with %j',
    async (emitter) => {
      await boot({}, emitter);
      const id = newId();
      expect((await host.deliver(webhook({ id }))).status).toBe(200);
      expect((await heard(1)).map((event) => event.id)).toEqual([id]);
      expect(view.storedWhenHeard).toEqual([1]);
    },
  );

  test('tells each event once, in the order of the log, however often it came', async () => {
    await boot();
    const ids = [newId(), newId(), newId()];
    for (const id of ids) {
      const body = webhook({ id });
      for (let times = 0; times < 3; times++) expect((await host.deliver(body)).status).toBe(200);
      await host.deliver(webhook({ id, metadata: 'other bytes' }));
    }
    await host.deliver(webhook({ id: 'EV_end' }));
    expect((await heard(4)).map((event) => event.id)).toEqual([...ids, 'EV_end']);
  });

  test('tells what is subscribed to, and nothing else', async () => {
    await boot();
    await host.deliver(webhook({ event: 'track_published' }));
    await host.deliver(webhook({ event: 'moon_landed' }));
    await host.deliver(webhook());
    await heard(1);
    expect(view.tracks).toEqual([]);
  });

  test('tells listeners outside every request: many share a commit', async () => {
    await boot({ imports: [EventEmitterModule.forRoot(), KeepsRequests] });
    const contexts: string[] = [];
    host.app
      .get(EventEmitter2)
      .on('livekit.participant_joined', () => contexts.push(requests.getStore() ?? 'none'));
    for (let index = 0; index < 3; index++) await host.deliver(webhook());
    await until('all three', () => contexts.length === 3);
    expect(contexts).toEqual(['none', 'none', 'none']);
  });

  test("tells everything to those who subscribe to '*', names nobody knows too", async () => {
    await boot({ webhooks: { events: '*' } }, { wildcard: true });
    const names: string[] = [];
    host.app.get(EventEmitter2).on('livekit.*', ({ event }: LivekitEvent) => names.push(event));
    const sent = ['track_published', 'moon_landed', 'constructor', '__proto__', 'toString', 'room_started'];
    for (const event of sent) expect((await host.deliver(webhook({ event }))).status).toBe(200);
    await until('the last', () => names.includes('room_started'));
    expect(names).toEqual(sent);
    expect(view.tracks).toHaveLength(1);
  });

  test.each([{ wildcard: true }, { wildcard: false }])(
    'tells those who listen to anything at all, with %j',
    async (emitter) => {
      await boot({ providers: [] }, emitter);
      const names: unknown[] = [];
      host.app.get(EventEmitter2).onAny((name) => names.push(name));
      await host.deliver(webhook({ event: 'room_finished' }));
      await until('it', () => names.length > 0);
      expect(names).toEqual(['livekit.room_finished']);
    },
  );

  test("gives LiveKit's event, decoded, with its bytes beside it", async () => {
    await boot({ webhooks: CAPTURE_KEY });
    const join = deliveries('sip-caller').find(({ body }) => body.includes('sip.callID')) as CapturedDelivery;
    host.clock.set(join.receivedAt);
    const headers = Object.fromEntries(join.headers.filter(([name]) => name !== 'Content-Length'));
    expect((await host.deliver(join.body, { headers: { authorization: null, ...headers } })).status).toBe(
      200,
    );
    const [event] = await heard(1);
    const sent = JSON.parse(join.body);
    expect(event).toMatchObject({ event: 'participant_joined', id: sent.id, project: 'default' });
    expect(event?.room.sid).toBe(sent.room.sid);
    expect(event?.participant.identity).toBe(sent.participant.identity);
    expect(event?.participant.attributes).toEqual(sent.participant.attributes);
    expect(event?.createdAt).toBe(BigInt(sent.createdAt));
    expect(event?.receivedAt).toBe(host.clock.now());
    expect(event?.raw.toString()).toBe(join.body);
  });

  test('a listener that throws or rejects harms nothing: not the answer, not the others, not the process', async () => {
    await boot({ providers: [Throws] });
    host.app.get(EventEmitter2).on('livekit.room_finished', () => {
      throw new Error('a listener without a net');
    });
    for (let index = 0; index < 3; index++) {
      expect((await host.deliver(webhook())).status).toBe(200);
      expect((await host.deliver(webhook({ event: 'room_finished' }))).status).toBe(200);
    }
    await heard(3);
    await until('three failures in the log', () => {
      const failed = host.logger.of('EventBus').map((line) => (line as { event: string }).event);
      return ['participant_joined', 'room_finished'].every(
        (name) => failed.filter((event) => event === `livekit.${name}`).length === 3,
      );
    });
    expect(host.logger.of('EventBus')).toContainEqual(
      expect.objectContaining({
        message: 'a listener failed',
        errorType: 'Error',
        errorStack: expect.stringMatching(/bus\.spec/),
      }),
    );
    expect(JSON.stringify(host.logger.of('EventBus'))).not.toMatch(
      /a listener (?:that throws|without a net)/,
    );
  });

  test('an event that cannot be decoded is logged, and harms nothing', async () => {
    await boot();
    const id = newId();
    expect((await host.deliver(webhook({ id, room: { sid: 'RM_1', numParticipants: 'many' } }))).status).toBe(
      200,
    );
    await host.deliver(webhook());
    await heard(1);
    expect(host.logger.of('EventBus')).toContainEqual(expect.objectContaining({ id }));
  });

  test('a host without an event emitter boots, and receives', async () => {
    await boot({ imports: [] });
    expect((await host.deliver(webhook())).status).toBe(200);
    expect(view.joined).toEqual([]);
  });
});

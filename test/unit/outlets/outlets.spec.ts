import { CloudEvent, HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { FailDelivery, RetryAfter } from '../../../src/event-log/handlers/outcomes.js';
import { importPeers, MissingPeerError } from '../../../src/optional-peer.js';
import { toOutletEvent } from '../../../src/outlets/cloud-event.js';
import { OutletError, OutletsOptionsError } from '../../../src/outlets/errors.js';
import { allEventsLike, eventsLike } from '../../../src/outlets/event-patterns.js';
import { type OutletsModuleOptions, resolveSettings } from '../../../src/outlets/outlets.options.js';
import { failureOf } from '../../../src/outlets/webhook/answer.js';
import { signingKey, webhookHeaders } from '../../../src/outlets/webhook/signature.js';
import { newEvent } from '../../support/events.js';

const secretOf = (bytes: number, fill = 7): string => `whsec_${Buffer.alloc(bytes, fill).toString('base64')}`;

describe('a CloudEvent', () => {
  const published = (body: object, more: object = {}) =>
    toOutletEvent({ ...newEvent({ id: 'EV_1', ...body }), seq: 1, ...more });
  const read = (json: string): CloudEvent =>
    HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body: json }) as CloudEvent;

  test("has LiveKit's own body, and says what it is", () => {
    const body = { event: 'room_started', id: 'EV_1', room: { sid: 'RM_1', name: 'call-1' } };
    const { id, type, address, json } = published(body);
    expect({ id, type, address }).toEqual({
      id: 'default/EV_1',
      type: 'livekit.room_started',
      address: 'livekit.default.room_started',
    });
    const event = read(json);
    expect(event.validate()).toBe(true);
    expect(event).toMatchObject({
      specversion: '1.0',
      id,
      type,
      source: '/livekit/projects/default',
      subject: 'call-1',
      datacontenttype: 'application/json',
      dataschema: expect.stringMatching(/outlet-events\.schema\.json#\/\$defs\/livekit$/),
      data: expect.objectContaining(body),
    });
  });

  test('has its body as it was sent, to the last digit', () => {
    const body = Buffer.from('{"event":"room_started","id":"EV_1","n":12345678901234567890,"m":1.0}');
    expect(published({}, { body }).json).toContain(`"data":${body.toString()}}`);
  });

  test("has no key to LiveKit's TURN server, which stands in every room", () => {
    const text = String.raw`say \"turnPassword\":\"that\"`;
    const body = `{"event":"x","room":{"name":"${text}","turnPassword" : "se\\"cret","turn_password":"secret"},"n":1.0}`;
    expect(published({}, { body: Buffer.from(body) }).json).toContain(
      `"data":{"event":"x","room":{"name":"${text}","turnPassword":"","turn_password":""},"n":1.0}}`,
    );
  });

  test('has the time at which it was sent, and the trace that it belongs to', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { json } = published({}, { occurredAt: 1_795_423_728_000, traceparent });
    expect(JSON.parse(json)).toMatchObject({ time: '2026-11-23T08:48:48.000Z', traceparent });
    expect(JSON.parse(published({}, { traceparent: null }).json)).not.toHaveProperty('traceparent');
  });

  test.each([1e17, Date.UTC(10_000, 0), Date.UTC(-1, 0)])(
    'has neither subject nor time where there is none, as of %p',
    (occurredAt) => {
      const event = published(
        { event: 'agent_job_started', id: 'EV_1' },
        { roomSid: null, roomName: null, occurredAt },
      );
      expect(Object.keys(JSON.parse(event.json) as object)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^(subject|time)$/)]),
      );
    },
  );

  test('has an id and an address of plain characters, whatever was sent, each its own', () => {
    const ids = ['a.b', 'a b', 'a%2Eb', 'a\r\nb', 'ä/🎧', '*>'];
    const events = ids.map((eventId) => published({}, { eventId, name: eventId }));
    for (const { id, address } of events) {
      expect(id).toMatch(/^default\/[\w%:-]+$/);
      expect(address).toMatch(/^livekit\.default\.[\w%:-]+$/);
    }
    expect(new Set(events.map(({ id }) => id)).size).toBe(ids.length);
    expect(events[3]?.id).toBe('default/a%0D%0Ab');
  });
});

test.each([
  ['session.*', ['*'], []],
  ['session.settled', ['session.settled'], []],
  ['session.participant_*', ['session.participant_joined', 'session.participant_left'], []],
  ['livekit.*', [], ['*']],
  ['livekit.room_*', [], ['room_started', 'room_finished']],
  ['*', ['*'], ['*']],
  ['*.participant_joined', ['session.participant_joined'], ['participant_joined']],
])('the pattern %s means %j of sessions and %j of LiveKit', (pattern, session, livekit) => {
  expect(eventsLike(pattern)).toEqual({ session, livekit });
});

test.each(['', 'session', 'room_started', 'session.began', 'session?*', 'app.*'])(
  'the pattern %j means nothing',
  (pattern) => expect(eventsLike(pattern)).toBeUndefined(),
);

test('patterns add up', () => {
  expect(allEventsLike(['session.settled', 'session.s*', 'livekit.room_started'])).toEqual({
    session: ['session.settled', 'session.started'],
    livekit: ['room_started'],
  });
});

describe('the signature of a webhook', () => {
  const signed = { id: 'default/EV_1', timestamp: Math.floor(Date.now() / 1_000), body: '{"a":"ä"}' };
  const keyOf = (secret: string) => signingKey(secret) as Buffer;

  test('is one that the reference library makes and takes', () => {
    const secret = secretOf(32);
    const headers = webhookHeaders(signed, [keyOf(secret)]);
    const theirs = new Webhook(secret);
    expect(theirs.verify(signed.body, headers)).toEqual({ a: 'ä' });
    expect(headers['webhook-signature']).toBe(
      theirs.sign(signed.id, new Date(signed.timestamp * 1_000), signed.body),
    );
  });

  test('is one of every secret during a rotation', () => {
    const [old, fresh, foreign] = [secretOf(24, 1), secretOf(64, 2), secretOf(32, 3)] as const;
    const headers = webhookHeaders(signed, [keyOf(old), keyOf(fresh)]);
    for (const secret of [old, fresh]) {
      expect(new Webhook(secret).verify(signed.body, headers)).toEqual({ a: 'ä' });
    }
    expect(() => new Webhook(foreign).verify(signed.body, headers)).toThrow(/No matching signature/);
  });

  test.each([secretOf(24), secretOf(64), secretOf(25).replace(/=+$/, '')])(
    'takes the secret %s',
    (secret) => {
      expect(signingKey(secret)?.length).toBeGreaterThan(23);
    },
  );

  test.each(['', 'whsec_', secretOf(23), secretOf(65), secretOf(32).slice(6), `${secretOf(32)}!`, 'whsec_ä'])(
    'refuses the secret %j',
    (secret) => expect(signingKey(secret)).toBeUndefined(),
  );
});

describe('an answer', () => {
  const NOW = Date.parse('2026-11-25T10:00:00Z');
  const failure = (status: number, retryAfter?: string) =>
    failureOf({ status, retryAfter }, { now: NOW, backoff: 60_000 });

  test.each([200, 201, 204, 299])('%i is done', (status) => expect(failure(status)).toBeNull());

  test('410 is given up', () => {
    expect(failure(410)).toBeInstanceOf(FailDelivery);
    expect(failure(410)?.message).toMatch(/410 \(Gone\)/);
  });

  test.each([301, 302, 307, 308])('%i is not followed', (status) => {
    expect(failure(status)).toBeInstanceOf(OutletError);
    expect(failure(status)?.message).toMatch(/redirects are not followed: give its final URL/);
  });

  test.each([400, 401, 404, 413, 429, 500, 502, 503])('%i is tried again', (status) => {
    expect(failure(status)).toBeInstanceOf(OutletError);
  });

  test.each([
    [429, '120', 120_000],
    [503, 'Wed, 25 Nov 2026 10:02:00 GMT', 120_000],
    [429, '999999999', 3_600_000],
  ])('%i with Retry-After: %s is tried again then', (status, retryAfter, milliseconds) => {
    expect(failure(status, retryAfter)).toMatchObject({ name: 'RetryAfter', milliseconds });
    expect(failure(status, retryAfter)).toBeInstanceOf(RetryAfter);
  });

  test.each([
    [429, 'soon'],
    [429, ''],
    [429, '0'],
    [503, '60'],
    [503, 'Wed, 25 Nov 2026 09:00:00 GMT'],
    [500, '120'],
  ])('%i with Retry-After: %s is tried again by the backoff', (status, retryAfter) => {
    expect(failure(status, retryAfter)).toBeInstanceOf(OutletError);
  });
});

describe('options', () => {
  const webhook = { url: 'https://example.com', secret: secretOf(32) };

  test('say where and what, with defaults', () => {
    const settings = resolveSettings({
      jetstream: { url: 'nats://me:p%40ss@a:4222,nats://b:4222' },
      redis: { url: 'redis://redis' },
      webhook: { ...webhook, secrets: [secretOf(24)] },
    });
    expect(settings).toMatchObject({
      jetstream: { servers: ['nats://a:4222', 'nats://b:4222'], user: 'me', pass: 'p@ss' },
      redis: { url: 'redis://redis', maxLength: 10_000 },
      events: { session: ['*'], livekit: [] },
    });
    expect(settings.webhook?.keys).toHaveLength(2);
    expect(resolveSettings({ jetstream: { url: 'tls://t0ken@a' } }).jetstream).toEqual({
      servers: ['tls://a'],
      token: 't0ken',
      tls: {},
    });
    expect(resolveSettings({})).toEqual({ events: { session: ['*'], livekit: [] } });
  });

  test('are named as missing where a factory gives none', () => {
    expect(() => resolveSettings(undefined as never)).toThrow(/`useFactory` gave no options/);
  });

  test.each<[string, OutletsModuleOptions, RegExp]>([
    ['jetstream.url', { jetstream: { url: 'ws://secret@a' } }, /nats:\/\//],
    ['redis.url', { redis: { url: 'secret' } }, /redis:\/\//],
    ['redis.url', { redis: { url: 'redis://:secret%@a' } }, /redis:\/\//],
    ['redis.maxLength', { redis: { url: 'redis://a', maxLength: 0 } }, /at least 1/],
    ['webhook.secret', { webhook: { url: 'https://example.com' } }, /is missing/],
    ['webhook.secret', { webhook: { ...webhook, secret: 'secret' } }, /whsec_/],
    ['webhook.url', { webhook: { ...webhook, url: 'http://secret@a' } }, /https:\/\//],
    [
      'webhook.allow[1]',
      { webhook: { ...webhook, allow: ['localhost', 'https://user:secret@example.com'] } },
      /^(?!.*secret).*must be an address, a range such as `10\.0\.0\.0\/8`, or the name of a host/,
    ],
    ['webhok', { webhok: webhook } as object, /is none: there are `jetstream`, .*`events`$/],
    ['redis.maxlength', { redis: { url: 'redis://a', maxlength: 9 } as never }, /`url`, `maxLength`$/],
    ['webhook.alow', { webhook: { ...webhook, alow: ['a'] } as never }, /is none: there are `url`, /],
    ['jetstream.stream', { jetstream: { url: 'nats://a', stream: 'a' } as never }, /there are `url`$/],
    ['events', { events: [] }, /is empty/],
    ['events', { events: 'session.*' } as never, /must be a list/],
    ['webhook.allow', { webhook: { ...webhook, allow: 'localhost' } } as never, /must be a list/],
    ['webhook.secrets', { webhook: { ...webhook, secrets: 'whsec_' } } as never, /must be a list/],
    ['events', { events: ['session.*', 'room_started'] }, /`room_started`, which is no event/],
  ])('`%s` of %j is refused', (option, options, cure) => {
    const refused = (): unknown => resolveSettings(options);
    expect(refused).toThrow(OutletsOptionsError);
    expect(refused).toThrow(`OutletsModule: option \`${option}\``);
    expect(refused).toThrow(cure);
    expect(refused).not.toThrow(/@|'secret'/);
  });
});

describe('a package that not every host has', () => {
  test('is asked for by its name', async () => {
    const missing = 'a-package-that-nobody-has';
    const importing = importPeers('the outlet redis', ['ioredis'], () => import(missing));
    await expect(importing).rejects.toThrow(MissingPeerError);
    await expect(importing).rejects.toThrow(/the outlet redis needs .*: npm install ioredis$/);
  });

  test('that is there and fails is another matter', async () => {
    const importing = importPeers('the outlet redis', ['ioredis'], () => Promise.reject(new Error('broken')));
    await expect(importing).rejects.toThrow(/^broken$/);
  });
});

import type { LivekitWebhookModuleOptions } from '../../../src/livekit-webhook/livekit-webhook.options.js';
import { resolveSettings } from '../../../src/livekit-webhook/settings.js';
import { expectRefused, KEY, PATH, type Refusal, wrong } from './options.js';

const DAY = 86_400_000;

const settings = (options: LivekitWebhookModuleOptions) => resolveSettings(options, [PATH]);

describe('the settings', () => {
  test('have a default for everything but the secret', () => {
    expect(settings(wrong({ retention: null, log: null }))).toMatchObject({ retention: { sessions: false } });
    const { keysByPath, log, ...rest } = settings(KEY);
    expect(rest).toEqual({
      events: undefined,
      deliveries: { drainTimeout: 10_000, engine: { type: 'database' } },
      retention: { bodies: 30 * DAY, deliveries: 30 * DAY, events: 400 * DAY, sessions: false },
      signatures: new Set(['livekit', 'hmac']),
      bodyLimit: 1_048_576,
      bodyTimeout: 10_000,
      clockTolerance: 10_000,
      database: { url: 'file:./data/voice.sqlite' },
    });
    expect([...keysByPath.keys()]).toEqual([PATH]);
    expect([log.writes('debug'), log.writes('log'), log.samples('any')]).toEqual([false, true, true]);
  });

  test.each([
    ['bullmq', 'redis.example.com', 'redis://'],
    ['bullmq', 'nats://:marker@example.com', 'redis://'],
    ['bullmq', 'redis:///0', 'redis://'],
    ['bullmq', 'redis://:marker%@example.com', 'redis://'],
    ['jetstream', 'redis://:marker@example.com', 'nats://'],
    ['jetstream', 'nats://one.example.com,two.example.com', 'nats://'],
  ] as const)('let no %s be looked for at `%s`', (type, url, scheme) => {
    const database = { url: 'postgres://localhost/voice' };
    expect(() => settings({ ...KEY, database, deliveries: { engine: { type, url } } })).toThrow(
      new RegExp(`^(?!.*marker).*deliveries\\.engine\\.url.*${scheme}`),
    );
  });

  test.each([
    ['*', '*'],
    [['*'], '*'],
    [['room_started', '*'], '*'],
    [['room_started'], new Set(['room_started'])],
    [[], new Set()],
  ] as const)('take the events %j', (events, subscribed) => {
    expect(settings({ ...KEY, events }).events).toEqual(subscribed);
  });

  test.each<Refusal>([
    [
      'events',
      wrong({ events: ['room_begun'] }),
      /names `room_begun`, which LiveKit does not send: use room_started/,
    ],
    ['events', wrong({ events: 'room_started' }), /must be a list/],
    ['signatures', wrong({ signatures: 'livekit' }), /must be a list/],
    ['signatures', wrong({ signatures: [] }), /must be `\['livekit'\]`, `\['hmac'\]` or both/],
    ['signatures', wrong({ signatures: ['none'] }), /must be `\['livekit'\]`/],
    [
      'retention.bodies',
      wrong({ retention: { bodies: -1 } }),
      /must be a whole number of at least 0, or `false`/,
    ],
    ['retention.bodies', wrong({ retention: { bodies: DAY / 7 } }), /must be a whole number of at least 0/],
    ['retention.sessions', wrong({ retention: { sessions: '30d' } }), /must be a whole number of at least 0/],
    [
      'retention.events',
      wrong({ retention: { events: DAY - 1 } }),
      /must be a whole number of at least 86400000/,
    ],
    ['bodyLimit', wrong({ bodyLimit: 0 }), /must be a whole number of at least 1/],
    ['bodyLimit', wrong({ bodyLimit: Number.NaN }), /must be a whole number of at least 1/],
    ['bodyLimit', wrong({ bodyLimit: Number.POSITIVE_INFINITY }), /must be a whole number of at least 1/],
    ['bodyLimit', wrong({ bodyLimit: '1mb' }), /must be a whole number of at least 1/],
    ['bodyTimeout', wrong({ bodyTimeout: -1 }), /must be a whole number from 1 to/],
    ['bodyTimeout', wrong({ bodyTimeout: 2 ** 31 }), /from 1 to 2147483647/],
    ['clockTolerance', wrong({ clockTolerance: -1 }), /must be a whole number of at least 0/],
    ['adminToken', wrong({ adminToken: 't0ken-of-sixteen' }), /must stand beside `useFactory`/],
    ['retention.body', wrong({ retention: { body: false } }), /is none: there are `bodies`, .*`sessions`$/],
    ['deliveries.drain', wrong({ deliveries: { drain: 1 } }), /is none: there are `drainTimeout`/],
    ['database.migration', wrong({ database: { url: ':memory:', migration: 'check' } }), /`migrations`/],
    ['log.lvl', wrong({ log: { lvl: 'warn' } }), /is none: there are `level`, `sample`$/],
    [
      'projects[0].pth',
      wrong({ projects: [{ name: 'a', ...KEY, pth: '/a' }] }),
      /is none: there are `name`, .*`path`$/,
    ],
    [
      'projects[0].keys[0].apikey',
      wrong({ projects: [{ name: 'a', ...KEY, keys: [{ apikey: 'APIother', apiSecret: 'other' }] }] }),
      /is none: there are `apiKey`, `apiSecret`$/,
    ],
    [
      'keys[0].apikey',
      wrong({ keys: [{ apikey: 'APIother', apiSecret: 'other' }] }),
      /is none: there are `apiKey`/,
    ],
    ['projects', wrong({ projects: { name: 'a', ...KEY } }), /must be a list/],
    [
      'projects[1]',
      wrong({ projects: [{ name: 'a', ...KEY }, null] }),
      /must be an object with `name`, .*`path`$/,
    ],
    ['keys[0]', wrong({ keys: ['APIkey'] }), /must be an object with `apiKey`, `apiSecret`$/],
    ['database', wrong({ database: ':memory:' }), /must be an object with `url`, /],
    ['retention', wrong({ retention: [] }), /must be an object with `bodies`, /],
    ['pth', wrong({ pth: '/voice' }), /is none: there are `apiKey`, .*`log`; and beside .*: `path`, .*/],
  ])('refuse a wrong `%s`, %j, and name the cure', (option, options, cure) => {
    expectRefused(() => settings(options), option, cure);
  });

  test('allow clocks no difference at all', () => {
    expect(settings({ ...KEY, clockTolerance: 0 }).clockTolerance).toBe(0);
  });
});

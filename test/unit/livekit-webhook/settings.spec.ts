import { LivekitWebhookOptionsError } from '../../../src/livekit-webhook/errors.js';
import type { LivekitWebhookModuleOptions } from '../../../src/livekit-webhook/livekit-webhook.options.js';
import { mountedPaths, resolveSettings } from '../../../src/livekit-webhook/settings.js';

const DAY = 86_400_000;
const KEY = { apiKey: 'APIkey', apiSecret: 'a-secret-that-must-not-be-told' };
const PATH = '/voice/livekit/webhooks';

const settings = (options: LivekitWebhookModuleOptions, paths: string[] = mountedPaths(options)) =>
  resolveSettings(options, paths);

/** Options as somebody without types may give them. */
const wrong = (options: object): LivekitWebhookModuleOptions =>
  ({ ...KEY, ...options }) as LivekitWebhookModuleOptions;

const keysOf = (options: LivekitWebhookModuleOptions) =>
  [...settings(options).keysByPath].map(([path, keys]) => [
    path,
    keys.map(({ project, apiKey, secret }) => [project, apiKey, secret.export().toString()]),
  ]);

describe('the settings', () => {
  test('have a default for everything but the secret', () => {
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

  test('join a key with more keys, of which one may stand twice', () => {
    const keys = [{ apiKey: 'APIkey', apiSecret: 'fresh' }, { apiSecret: 'nameless' }];
    const expected = [
      ['default', 'APIkey', KEY.apiSecret],
      ['default', 'APIkey', 'fresh'],
      ['default', undefined, 'nameless'],
    ];
    expect(keysOf({ ...KEY, keys })).toEqual([[PATH, expected]]);
    expect(keysOf({ keys })).toEqual([[PATH, expected.slice(1)]]);
  });

  test('have the keys of each project on its path', () => {
    const projects = [
      { name: 'a', apiKey: 'APIa', apiSecret: 'sa' },
      { name: 'b', apiSecret: 'sb', keys: [{ apiKey: 'APIb', apiSecret: 'sb2' }] },
      { name: 'c', apiSecret: 'sa', path: 'c//hooks/' },
    ];
    expect(keysOf({ projects })).toEqual([
      [
        PATH,
        [
          ['a', 'APIa', 'sa'],
          ['b', undefined, 'sb'],
          ['b', 'APIb', 'sb2'],
        ],
      ],
      ['/c/hooks', [['c', undefined, 'sa']]],
    ]);
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

  test.each<[string, LivekitWebhookModuleOptions, RegExp]>([
    ['apiSecret', {}, /is missing or empty: give the secret/],
    ['apiSecret', { apiKey: 'APIkey' }, /is missing or empty/],
    ['apiSecret', wrong({ apiSecret: '' }), /is missing or empty/],
    ['apiSecret', wrong({ apiSecret: ' \n' }), /is missing or empty/],
    ['apiSecret', wrong({ apiSecret: null }), /is missing or empty/],
    ['apiSecret', wrong({ apiSecret: 12345 }), /is missing or empty/],
    ['apiSecret', wrong({ keys: [{ apiKey: 'APIother', apiSecret: '' }] }), /is missing or empty/],
    ['apiSecret', { keys: [] }, /is missing or empty/],
    ['apiKey', wrong({ apiKey: '' }), /is empty: give the API key, or leave it out/],
    ['apiKey', wrong({ apiKey: 7 }), /is empty/],
    ['projects', { projects: [] }, /is empty: name at least one project/],
    ['projects', wrong({ projects: [{ name: 'a', ...KEY }] }), /stands beside .*: move those into it/],
    [
      'projects[0].name',
      { projects: [{ name: 'Not Ours', ...KEY }] },
      /must be 1 to 64 of a-z, 0-9, `_` and `-`/,
    ],
    ['projects[0].name', { projects: [{ name: '', ...KEY }] }, /must be 1 to 64/],
    ['projects[0].name', { projects: [{ name: 'a'.repeat(65), ...KEY }] }, /must be 1 to 64/],
    [
      'projects[1].name',
      {
        projects: [
          { name: 'a', ...KEY },
          { name: 'a', apiSecret: 'other' },
        ],
      },
      /repeats `a`: give every project a name of its own/,
    ],
    [
      'projects `b`: apiSecret',
      {
        projects: [
          { name: 'a', ...KEY },
          { name: 'b', apiSecret: '' },
        ],
      },
      /is missing or empty/,
    ],
    [
      'projects',
      {
        projects: [
          { name: 'a', ...KEY },
          { name: 'b', apiKey: 'APIb', apiSecret: KEY.apiSecret },
        ],
      },
      /`a` and `b` share a secret on `\/voice\/livekit\/webhooks` .*: give one of them a `path` of its own/,
    ],
    [
      'events',
      wrong({ events: ['room_begun'] }),
      /names `room_begun`, which LiveKit does not send: use room_started/,
    ],
    ['signatures', wrong({ signatures: [] }), /must be `\['livekit'\]`, `\['hmac'\]` or both/],
    ['signatures', wrong({ signatures: ['none'] }), /must be `\['livekit'\]`/],
    ['retention.bodies', wrong({ retention: { bodies: -1 } }), /must be a number of at least 0/],
    ['retention.sessions', wrong({ retention: { sessions: '30d' } }), /must be a number of at least 0/],
    ['retention.events', wrong({ retention: { events: DAY - 1 } }), /must be a number of at least 86400000/],
    ['bodyLimit', wrong({ bodyLimit: 0 }), /must be a number of at least 1/],
    ['bodyLimit', wrong({ bodyLimit: Number.NaN }), /must be a number of at least 1/],
    ['bodyLimit', wrong({ bodyLimit: Number.POSITIVE_INFINITY }), /must be a number of at least 1/],
    ['bodyLimit', wrong({ bodyLimit: '1mb' }), /must be a number of at least 1/],
    ['bodyTimeout', wrong({ bodyTimeout: -1 }), /must be a number of at least 1/],
    ['bodyTimeout', wrong({ bodyTimeout: 2 ** 31 }), /at least 1 and at most 2147483647/],
    ['clockTolerance', wrong({ clockTolerance: -1 }), /must be a number of at least 0/],
    ['adminToken', wrong({ adminToken: 't0ken-of-sixteen' }), /must stand beside `useFactory`/],
    ['pth', wrong({ pth: '/voice' }), /is none: there are `apiKey`, .*`log`; and beside .*: `path`, .*/],
  ])('refuse a wrong `%s`, %j, and name the cure', (option, options, cure) => {
    const refused = () => settings(options);
    expect(refused).toThrow(LivekitWebhookOptionsError);
    expect(refused).toThrow(`option \`${option}\``);
    expect(refused).toThrow(cure);
    expect(refused).not.toThrow(KEY.apiSecret);
  });

  test('allow two projects one key with secrets of their own, and one secret on paths of their own', () => {
    const projects = [
      { name: 'a', apiKey: 'APIsame', apiSecret: 'sa' },
      { name: 'b', apiKey: 'APIsame', apiSecret: 'sb' },
      { name: 'c', apiKey: 'APIsame', apiSecret: 'sa', path: '/c' },
    ];
    expect(keysOf({ projects })).toHaveLength(2);
  });

  test("give a project without a path of its own every path that is nobody's own", () => {
    const projects = [
      { name: 'a', ...KEY },
      { name: 'b', ...KEY, path: '/b' },
    ];
    const { keysByPath } = settings({ projects }, ['/x', '/y', '/b']);
    const owners = [...keysByPath].map(([path, keys]) => [path, keys.map(({ project }) => project)]);
    expect(owners).toEqual([
      ['/x', ['a']],
      ['/y', ['a']],
      ['/b', ['b']],
    ]);
  });

  test('refuse a path that belongs to no project, and a project that is left without one', () => {
    const own = [{ name: 'b', ...KEY, path: '/b' }];
    expect(() => settings({ projects: own }, ['/x', '/b'])).toThrow(/`\/x`, which belongs to no project/);
    expect(() => settings({ projects: [...own, { name: 'a', apiSecret: 's' }] }, ['/b'])).toThrow(
      /leaves no path to the projects/,
    );
  });

  test('allow clocks no difference at all', () => {
    expect(settings({ ...KEY, clockTolerance: 0 }).clockTolerance).toBe(0);
  });
});

describe('the paths that are mounted', () => {
  test.each([
    [{}, [PATH]],
    [{ path: 'hooks' }, ['/hooks']],
    [{ path: '//a//b/' }, ['/a/b']],
    [{ path: ['/a', '/b', 'a/'] }, ['/a', '/b']],
    [{ projects: [{ name: 'x', ...KEY, path: '/x' }] }, ['/x']],
    [
      {
        projects: [
          { name: 'x', ...KEY, path: '/x' },
          { name: 'y', ...KEY },
        ],
      },
      [PATH, '/x'],
    ],
  ])('of %j: %j', (options, paths) => {
    expect(mountedPaths(options)).toEqual(paths);
  });

  test.each(['', '/', '/a b', '/:id', '/*', '/a?', '/(a|b)', '/a#b', '/a/../b', './a', '/{a}', '/[a]'])(
    '%j is no plain path',
    (path) => {
      expect(() => mountedPaths({ path })).toThrow(/option `path` must be a plain path such as/);
    },
  );
});

import { keysByPath, mountedPaths } from '../../../src/livekit-webhook/keys-by-path.js';
import type { LivekitWebhookModuleOptions } from '../../../src/livekit-webhook/livekit-webhook.options.js';
import { expectRefused, KEY, PATH, type Refusal, wrong } from './options.js';

const keysOf = (options: LivekitWebhookModuleOptions) =>
  [...keysByPath(options, mountedPaths(options))].map(([path, keys]) => [
    path,
    keys.map(({ project, apiKey, secret }) => [project, apiKey, secret.export().toString()]),
  ]);

describe('the keys of each path', () => {
  test('join a key with more keys, of which one may stand twice', () => {
    const keys = [{ apiKey: 'APIkey', apiSecret: 'fresh' }, { apiSecret: 'nameless' }];
    const expected = [
      ['default', 'APIkey', KEY.apiSecret],
      ['default', 'APIkey', 'fresh'],
      ['default', undefined, 'nameless'],
    ];
    expect(keysOf({ ...KEY, keys })).toEqual([[PATH, expected]]);
    expect(keysOf({ keys })).toEqual([[PATH, expected.slice(1)]]);
    expect(keysOf(wrong({ keys: null }))).toEqual([[PATH, expected.slice(0, 1)]]);
  });

  test('have the keys of each project on its path', () => {
    const projects = [
      { name: 'a', apiKey: 'APIa', apiSecret: 'sa' },
      { name: 'b', apiSecret: 'sb', keys: [{ apiKey: 'APIb', apiSecret: 'sb2' }] },
      { name: 'c', apiSecret: 'sa', path: 'c//hooks/' },
      { name: 'd', apiSecret: 'sd', path: null as never }, // as a configuration service gives what it does not have
    ];
    expect(keysOf({ projects })).toEqual([
      [
        PATH,
        [
          ['a', 'APIa', 'sa'],
          ['b', undefined, 'sb'],
          ['b', 'APIb', 'sb2'],
          ['d', undefined, 'sd'],
        ],
      ],
      ['/c/hooks', [['c', undefined, 'sa']]],
    ]);
  });

  test.each<Refusal>([
    ['apiSecret', {}, /is missing or empty: give the secret/],
    ['apiSecret', { apiKey: 'APIkey' }, /is missing or empty/],
    ['apiSecret', wrong({ apiSecret: '' }), /is missing or empty/],
    ['apiSecret', wrong({ apiSecret: ' \n' }), /is missing or empty/],
    ['apiSecret', wrong({ apiSecret: null }), /is missing or empty/],
    ['apiSecret', wrong({ apiSecret: 12345 }), /is missing or empty/],
    ['apiSecret', wrong({ keys: [{ apiKey: 'APIother', apiSecret: '' }] }), /is missing or empty/],
    ['apiSecret', { keys: [] }, /is missing or empty/],
    ['apiKey', wrong({ apiKey: '' }), /is empty: give the API key, or leave it out/],
    ['apiKey', wrong({ apiKey: ' ' }), /is empty/],
    ['apiKey', wrong({ apiKey: 7 }), /is empty/],
    ['projects', { projects: [] }, /is empty: name at least one project/],
    ['projects', wrong({ projects: [{ name: 'a', ...KEY }] }), /stands beside .*: move those into it/],
    ['projects', { projects: [{ name: 'a', ...KEY }], apiKey: 'APIkey' }, /stands beside/],
    ['projects', { projects: [{ name: 'a', ...KEY }], apiSecret: 'secret' }, /stands beside/],
    ['projects', { projects: [{ name: 'a', ...KEY }], keys: [] }, /stands beside/],
    ['projects[0].name', { projects: [{ ...KEY, name: undefined as never }] }, /must be 1 to 64/],
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
  ])('refuse a wrong `%s`, %j, and name the cure', (option, options, cure) => {
    expectRefused(() => keysOf(options), option, cure);
  });

  test('allow two projects one key with secrets of their own, and one secret on paths of their own', () => {
    const projects = [
      { name: 'a', apiKey: 'APIsame', apiSecret: 'sa' },
      { name: 'b', apiKey: 'APIsame', apiSecret: 'sb' },
      { name: 'c', apiKey: 'APIsame', apiSecret: 'sa', path: '/c' },
    ];
    expect(keysOf({ projects })).toHaveLength(2);
  });

  test('allow a project two keys with one secret', () => {
    expect(keysOf({ ...KEY, keys: [{ apiKey: 'APIfresh', apiSecret: KEY.apiSecret }] })).toHaveLength(1);
  });

  test('need no path but their own where each project has one', () => {
    const projects = [{ name: 'eu_west-1', ...KEY, path: '/eu' }];
    expect(keysOf({ projects })).toEqual([['/eu', [['eu_west-1', KEY.apiKey, KEY.apiSecret]]]]);
  });

  test('refuse a path that is not mounted, and tell where to name it', () => {
    const projects = [{ name: 'b', ...KEY, path: '/b' }];
    expectRefused(
      () => keysByPath({ projects }, ['/x']),
      'projects `b`: path',
      /is `\/b`, where nothing is mounted: .*`path: \['\/x', '\/b'\]`/,
    );
  });

  test("give a project without a path of its own every path that is nobody's own", () => {
    const projects = [
      { name: 'a', ...KEY },
      { name: 'b', ...KEY, path: '/b' },
    ];
    const byPath = keysByPath({ projects }, ['/x', '/y', '/b']);
    const owners = [...byPath].map(([path, keys]) => [path, keys.map(({ project }) => project)]);
    expect(owners).toEqual([
      ['/x', ['a']],
      ['/y', ['a']],
      ['/b', ['b']],
    ]);
  });

  test('refuse a path that belongs to no project, and a project that is left without one', () => {
    const own = [{ name: 'b', ...KEY, path: '/b' }];
    expect(() => keysByPath({ projects: own }, ['/x', '/b'])).toThrow(/`\/x`, which belongs to no project/);
    expect(() => keysByPath({ projects: [...own, { name: 'a', apiSecret: 's' }] }, ['/b'])).toThrow(
      /leaves no path to the projects/,
    );
  });
});

describe('the paths that are mounted', () => {
  test.each([
    [{}, [PATH]],
    [{ path: 'hooks' }, ['/hooks']],
    [{ path: '//a//b/' }, ['/a/b']],
    [{ path: "/A-z_0.9~/$&',;=@" }, ["/A-z_0.9~/$&',;=@"]],
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
    [wrong({ projects: { name: 'x' } }), [PATH]],
  ])('of %j: %j', (options, paths) => {
    expect(mountedPaths(options)).toEqual(paths);
  });

  test.each([
    '',
    '/',
    '/a b',
    '/:id',
    '/*',
    '/a?',
    '/(a|b)',
    '/a#b',
    '/a/../b',
    '/a/..',
    './a',
    '/{a}',
    '/[a]',
    '/ü',
    '/a%20b',
    '/a"b',
    '/a\\b',
    '/<a>',
  ])('%j is no plain path', (path) => {
    expect(() => mountedPaths({ path })).toThrow(/option `path` must be a plain path such as/);
  });

  test('refuse two that only Fastify tells apart', () => {
    const projects = [
      { name: 'a', ...KEY, path: '/hooks' },
      { name: 'b', apiSecret: 'other', path: '/Hooks' },
    ];
    expectRefused(
      () => mountedPaths({ projects }),
      'path',
      /`\/hooks` and `\/Hooks`, which Express takes for one/,
    );
  });
});

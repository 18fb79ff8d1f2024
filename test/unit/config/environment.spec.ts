import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '../../../src/config/environment-reader.js';
import { type Environment, readEnvironment } from '../../../src/config/environment.js';
import { DEFAULT_EVENTS } from '../../../src/livekit-webhook/livekit-events.js';

type Variables = Record<string, string>;

const PAIR = { LIVEKIT_API_KEY: 'APIkey', LIVEKIT_API_SECRET: 'a-secret' };
const DAY = 86_400_000;
const TOKEN = 'sixteen-or-more!';
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

/** Reads it with a good key pair and readable files. */
const read = (env: Variables, isTerminal = false): Environment =>
  readEnvironment({ ...PAIR, ...env }, () => true, isTerminal);

const problemsOf = (env: Variables, isReadable = (): boolean => true): readonly string[] => {
  try {
    readEnvironment(env, isReadable, false);
  } catch (error) {
    if (error instanceof EnvironmentError) return error.problems;
    throw error;
  }
  return [];
};

const keysOf = (env: Variables): unknown => readEnvironment(env, () => true, false).webhook.keys;

describe('with nothing but a key pair', () => {
  test('everything has the default of the contract', () => {
    expect(read({})).toEqual({
      webhook: {
        keys: [{ apiKey: 'APIkey', apiSecret: 'a-secret' }],
        path: '/voice/livekit/webhooks',
        signatures: ['livekit', 'hmac'],
        bodyLimit: 1_048_576,
        clockTolerance: 10_000,
        log: { level: 'log', sample: 1 },
      },
      database: { url: 'file:./data/voice.sqlite', migrations: 'run', poolSize: 10 },
      role: 'all',
      deliveries: { engine: { type: 'database' } },
      retention: { bodies: 30 * DAY, deliveries: 30 * DAY, events: 400 * DAY, sessions: false },
      sessions: { reconcileInterval: 15_000, settle: 30_000, expectTimeout: 600_000 },
      metrics: {},
      health: { deliveryLag: 300_000, deadLetters: 0 },
      outlets: {},
      http: { port: 8080, host: '0.0.0.0', adapter: 'express' },
      log: { format: 'json', level: 'log' },
      warnings: [],
    });
  });

  test('the events are left to the module, whose default is that of the contract', () => {
    expect(read({}).webhook).not.toHaveProperty('events');
    expect(DEFAULT_EVENTS).toEqual(['room_finished', 'participant_joined', 'participant_left']);
  });

  test('the log is pretty on a terminal', () => {
    expect(read({}, true).log.format).toBe('pretty');
    expect(read({ LOG_FORMAT: 'json' }, true).log.format).toBe('json');
  });

  test('an empty variable is an unset one', () => {
    const names = ['LIVEKIT_API_KEYS', 'LIVEKIT_WEBHOOK_PATH', 'LIVEKIT_WEBHOOK_EVENTS', 'LIVEKIT_URL'];
    names.push('DATABASE_URL', 'ROLE', 'OUTLET_EVENTS', 'ADMIN_TOKEN', 'PORT', 'TLS_KEY_FILE', 'LOG_LEVEL');
    expect(read(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(read({}));
  });
});

describe('what is set', () => {
  test('is read', () => {
    const environment = read({
      LIVEKIT_WEBHOOK_PATH: '/hooks/livekit',
      LIVEKIT_WEBHOOK_EVENTS: ' room_finished, egress_ended,',
      LIVEKIT_WEBHOOK_SIGNATURES: 'livekit,livekit',
      LIVEKIT_WEBHOOK_BODY_LIMIT: '2048',
      LIVEKIT_WEBHOOK_CLOCK_TOLERANCE: '5m',
      DATABASE_URL: 'postgres://me:pass@db/voice',
      DATABASE_MIGRATIONS: 'check',
      DATABASE_POOL_SIZE: '20',
      DATABASE_LISTEN_URL: 'postgres://me:pass@server/voice',
      RETENTION_BODIES: '12h',
      RETENTION_DELIVERIES: 'none',
      RETENTION_EVENTS: '1d',
      RETENTION_SESSIONS: '3650d',
      DELIVERY_ENGINE: 'bullmq',
      REDIS_URL: 'redis://redis:6379',
      ROLE: 'worker',
      LIVEKIT_URL: 'wss://livekit.example.com',
      RECONCILE_INTERVAL: '1m',
      SESSION_SETTLE: '0s',
      SESSION_EXPECT_TIMEOUT: '1h',
      ADMIN_TOKEN: TOKEN,
      METRICS_TOKEN: `${TOKEN}${TOKEN}`,
      HEALTH_DELIVERY_LAG: 'none',
      HEALTH_DEAD_LETTERS: '20',
      HEALTH_WEBHOOK_SILENCE: '10m',
      PORT: '0',
      HOST: '::1',
      HTTP_ADAPTER: 'fastify',
      TLS_CERT_FILE: 'cert.pem',
      TLS_KEY_FILE: 'key.pem',
      LOG_FORMAT: 'pretty',
      LOG_LEVEL: 'info',
      LOG_SAMPLE: '0.25',
    });
    expect(environment).toEqual({
      webhook: {
        keys: [{ apiKey: 'APIkey', apiSecret: 'a-secret' }],
        path: '/hooks/livekit',
        events: ['room_finished', 'egress_ended'],
        signatures: ['livekit'],
        bodyLimit: 2048,
        clockTolerance: 300_000,
        log: { level: 'log', sample: 0.25 },
      },
      database: {
        url: 'postgres://me:pass@db/voice',
        migrations: 'check',
        poolSize: 20,
        listenUrl: 'postgres://me:pass@server/voice',
      },
      role: 'worker',
      deliveries: { engine: { type: 'bullmq', url: 'redis://redis:6379' } },
      retention: { bodies: DAY / 2, deliveries: false, events: DAY, sessions: 3650 * DAY },
      adminToken: TOKEN,
      sessions: {
        livekitUrl: 'wss://livekit.example.com',
        reconcileInterval: 60_000,
        settle: 0,
        expectTimeout: 3_600_000,
      },
      metrics: { token: `${TOKEN}${TOKEN}` },
      health: { deliveryLag: false, deadLetters: 20, webhookSilence: 600_000 },
      outlets: {},
      http: {
        port: 0,
        host: '::1',
        adapter: 'fastify',
        tls: { certFile: 'cert.pem', keyFile: 'key.pem' },
      },
      log: { format: 'pretty', level: 'log' },
      warnings: [],
    });
  });

  test.each(['verbose', 'debug', 'log', 'warn', 'error', 'fatal'])(
    'LOG_LEVEL=%s is as Nest has it',
    (level) => {
      expect(read({ LOG_LEVEL: level }).log.level).toBe(level);
    },
  );

  test('`*` hears all events', () => {
    expect(read({ LIVEKIT_WEBHOOK_EVENTS: '*' }).webhook.events).toEqual(['*']);
  });
});

describe('keys', () => {
  test('a secret alone has no key', () => {
    expect(keysOf({ LIVEKIT_API_SECRET: 'a-secret' })).toEqual([{ apiSecret: 'a-secret' }]);
  });

  test('listed ones follow the pair; one key may stand twice; what is the same stands once', () => {
    expect(keysOf({ ...PAIR, LIVEKIT_API_KEYS: 'APIkey:a-secret,APIkey:new,APItwo:with:colons' })).toEqual([
      { apiKey: 'APIkey', apiSecret: 'a-secret' },
      { apiKey: 'APIkey', apiSecret: 'new' },
      { apiKey: 'APItwo', apiSecret: 'with:colons' },
    ]);
  });

  test('listed ones are enough, beside an empty secret too', () => {
    expect(keysOf({ LIVEKIT_API_SECRET: '', LIVEKIT_API_KEYS: 'APIkey:new' })).toEqual([
      { apiKey: 'APIkey', apiSecret: 'new' },
    ]);
  });

  test.each([
    ['no key at all', {}, /^LIVEKIT_API_SECRET is not set or empty: give/],
    ['an empty secret', { LIVEKIT_API_SECRET: '' }, /^LIVEKIT_API_SECRET is empty: give/],
    ['a secret of spaces', { LIVEKIT_API_SECRET: ' \t' }, /^LIVEKIT_API_SECRET is empty: give/],
    ['a key without its secret', { LIVEKIT_API_KEY: 'APIkey' }, /^LIVEKIT_API_SECRET is not set/],
    [
      'a key without its secret, beside listed ones',
      { LIVEKIT_API_KEY: 'APIkey', LIVEKIT_API_KEYS: 'a:b' },
      /^LIVEKIT_API_SECRET is not set/,
    ],
    ['a pair without a colon', { LIVEKIT_API_KEYS: 'marker' }, /^LIVEKIT_API_KEYS must be pairs/],
    ['a pair without a key', { LIVEKIT_API_KEYS: ':marker' }, /^LIVEKIT_API_KEYS must be pairs/],
    ['a pair without a secret', { LIVEKIT_API_KEYS: 'marker: ' }, /^LIVEKIT_API_KEYS must be pairs/],
    ['a comma too many', { LIVEKIT_API_KEYS: 'a:marker,' }, /^LIVEKIT_API_KEYS must be pairs/],
  ])('%s is refused, once', (_case, env, problem) => {
    const problems = problemsOf(env as Variables);
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(problems.join()).not.toMatch(/marker/);
  });
});

describe('a wrong value is refused with its name and the cure', () => {
  test.each([
    ['LIVEKIT_API_KEY', 'two words', /without spaces/],
    ['LIVEKIT_WEBHOOK_PATH', 'voice', /a plain path such as \/voice\/livekit\/webhooks/],
    ['LIVEKIT_WEBHOOK_PATH', '/', /a plain path/],
    ['LIVEKIT_WEBHOOK_PATH', '/a?b=c', /a plain path/],
    ['LIVEKIT_WEBHOOK_PATH', '/a/../b', /a plain path/],
    ['LIVEKIT_WEBHOOK_PATH', '/a/.', /a plain path/],
    ['LIVEKIT_WEBHOOK_PATH', '/a b', /a plain path/],
    ['LIVEKIT_WEBHOOK_PATH', '/a/:b', /a plain path/],
    ['LIVEKIT_WEBHOOK_PATH', '/a/*', /a plain path/],
    ['LIVEKIT_WEBHOOK_PATH', '/a{/b}', /a plain path/],
    ['LIVEKIT_WEBHOOK_PATH', '/(a)', /a plain path/],
    ['LIVEKIT_WEBHOOK_PATH', '/health', /not one of \/health/],
    ['LIVEKIT_WEBHOOK_PATH', '/Health', /not one of \/health/],
    ['LIVEKIT_WEBHOOK_PATH', '/metrics', /not one of .*\/metrics/],
    ['LIVEKIT_WEBHOOK_PATH', '/voice/sessions/x', /not one of .*\/voice\/sessions/],
    ['LIVEKIT_WEBHOOK_PATH', '/voice/deliveries', /not one of .*\/voice\/deliveries/],
    ['LIVEKIT_WEBHOOK_EVENTS', 'participant_join', /"participant_join" is none of them/],
    ['LIVEKIT_WEBHOOK_EVENTS', 'Egress-Ended,*', /"Egress-Ended" is none of them/],
    ['LIVEKIT_WEBHOOK_EVENTS', ',', /a list of/],
    ['LIVEKIT_WEBHOOK_SIGNATURES', 'jwt', /a list of livekit, hmac/],
    ['LIVEKIT_WEBHOOK_SIGNATURES', ',', /a list of livekit, hmac/],
    ['LIVEKIT_WEBHOOK_BODY_LIMIT', '1023b', /from 1kb to 64mb/],
    ['LIVEKIT_WEBHOOK_BODY_LIMIT', '65mb', /from 1kb to 64mb/],
    ['LIVEKIT_WEBHOOK_BODY_LIMIT', 'big', /such as 512kb or 1mb/],
    ['LIVEKIT_WEBHOOK_CLOCK_TOLERANCE', '6m', /from 0s to 5m/],
    ['LIVEKIT_WEBHOOK_CLOCK_TOLERANCE', '10', /such as 500ms, 10s/],
    ['RECONCILE_INTERVAL', '999ms', /1s/],
    ['LIVEKIT_URL', 'livekit.example.com', /https:\/\/ or http:\/\/ or wss:\/\/ or ws:\/\//],
    ['LIVEKIT_URL', 'ftp://livekit.example.com', /begins with https:\/\//],
    ['LIVEKIT_URL', 'https:///livekit.example.com', /begins with https:\/\//],
    ['RECONCILE_INTERVAL', '15', /such as 500ms/],
    ['SESSION_SETTLE', 'soon', /such as 500ms/],
    ['SESSION_EXPECT_TIMEOUT', '-10m', /such as 500ms/],
    ['RETENTION_BODIES', '1 month', /such as 30d, or none/],
    ['RETENTION_DELIVERIES', 'Infinity', /such as 30d, or none/],
    ['RETENTION_EVENTS', '23h', /from 1d to .*, such as 30d, or none/],
    ['RETENTION_SESSIONS', 'never', /such as 30d, or none/],
    ['HEALTH_DELIVERY_LAG', 'never', /from 1s to .*, or none/],
    ['HEALTH_DEAD_LETTERS', '10000', /from 0 to 9999/],
    ['HEALTH_WEBHOOK_SILENCE', '10', /or none/],
    ['DATABASE_URL', 'mysql://db/voice', /file:.*:memory: or postgres:\/\//],
    ['DATABASE_URL', 'file:', /file:\.\/data/],
    [
      'DATABASE_URL',
      'file:./data/voice.sqlite?mode=ro',
      /file:\.\/data\/voice.sqlite \(a path, without parameters\)/,
    ],
    ['DATABASE_URL', 'file:./data/voice.sqlite\r', /file:\.\/data\/voice.sqlite/],
    ['DATABASE_URL', 'postgres://me:secret@db:99999999/voice', /postgres:\/\/user:password@host\/database/],
    ['DATABASE_URL', 'postgres://me:100%@db/voice', /a password has %25 for %/],
    ['DATABASE_URL', 'postgres://me:secret@', /postgres:\/\/user:password@host\/database/],
    ['DATABASE_URL', `file:${tmpdir()}`, /the path of an SQLite database/],
    ['DATABASE_URL', 'file:package.json', /an SQLite database, or of a file that is not there yet/],
    ['DATABASE_MIGRATIONS', 'yes', /one of run, check, none/],
    ['DATABASE_POOL_SIZE', '1', /a whole number from 2 to 1000/],
    ['DATABASE_LISTEN_URL', 'postgres://server/voice', /DATABASE_URL is not postgres:.*unset it/],
    ['DELIVERY_ENGINE', 'kafka', /one of database, bullmq, jetstream/],
    ['ROLE', 'leader', /one of all, edge, worker/],
    ['ROLE', 'edge', /edge.*SQLite has one process.*DATABASE_URL a PostgreSQL/],
    ['ROLE', 'worker', /worker.*SQLite has one process/],
    ['OUTLET_JETSTREAM_URL', 'nats', /nats:\/\/host:4222/],
    ['OUTLET_JETSTREAM_URL', 'nats://a,wss://b', /nats:\/\/host:4222/],
    ['OUTLET_JETSTREAM_URL', 'nats://me:100%@nats', /a password has %25 for %/],
    ['OUTLET_REDIS_URL', 'http://redis', /redis:\/\/.* or rediss:\/\//],
    ['OUTLET_REDIS_URL', 'redis:///0', /redis:\/\/user:password@host:6379/],
    ['OUTLET_REDIS_URL', 'redis://redis/voice', /redis:\/\/user:password@host:6379\/0/],
    ['OUTLET_REDIS_URL', 'redis://:100%@redis', /a password has %25 for %/],
    ['OUTLET_WEBHOOK_SECRET', SECRET, /OUTLET_WEBHOOK_URL is not: give both/],
    ['OUTLET_WEBHOOK_ALLOW', '10.0.0.0/8', /OUTLET_WEBHOOK_URL is not: give both/],
    ['OUTLET_EVENTS', 'session.*', /there is no outlet: set OUTLET_JETSTREAM_URL, /],
    ['OUTLET_KAFKA_URL', 'kafka://kafka', /there are OUTLET_JETSTREAM_URL, /],
    ['RETENTION_BODY', '400d', /none that is known: there are RETENTION_BODIES, /],
    ['ADMIN_TOKEN', 'fifteen-letters', /at least 16 printable characters without spaces/],
    ['ADMIN_TOKEN', 'sixteen or more letters', /without spaces/],
    ['METRICS_TOKEN', 'sechzehn-fünfzehn', /printable/],
    ['PORT', '65536', /a whole number from 0 to 65535/],
    ['PORT', '80.5', /a whole number/],
    ['PORT', '-1', /a whole number/],
    ['HOST', 'two hosts', /an address or a host name/],
    ['HOST', '[::1]', /such as 0\.0\.0\.0, ::1/],
    ['HOST', '...', /an address or a host name/],
    ['HTTP_ADAPTER', 'koa', /one of express, fastify/],
    ['LOG_FORMAT', 'xml', /one of pretty, json/],
    ['LOG_LEVEL', 'loud', /one of verbose, debug, log, info, warn, error, fatal/],
    ['LOG_SAMPLE', '10%', /a number from 0 to 1/],
    ['LOG_SAMPLE', '1.5', /a number from 0 to 1/],
  ])('%s=%s', (name, value, cure) => {
    const problems = problemsOf({ ...PAIR, [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} `));
    expect(problems[0]).toMatch(cure);
  });

  test('every unknown event is told, and no known one', () => {
    const [problem] = problemsOf({ ...PAIR, LIVEKIT_WEBHOOK_EVENTS: 'room_start,room_finished,ingress_end' });
    expect(problem).toMatch(/"room_start" is none of them/);
    expect(problem).toMatch(/"ingress_end" is none of them/);
    expect(problem).not.toMatch(/"room_finished" is none/);
  });

  test('a database that is there is taken, and a file with nothing in it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'environment-'));
    try {
      writeFileSync(join(folder, 'empty'), '');
      writeFileSync(join(folder, 'voice.sqlite'), 'SQLite format 3\0\x10\0');
      for (const name of ['empty', 'voice.sqlite', 'new/voice.sqlite'])
        expect(problemsOf({ ...PAIR, DATABASE_URL: `file:${folder}/${name}` })).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    'postgres://db/voice',
    'postgresql://me:a%25b%40c@[::1]:5432/voice?sslmode=require',
    'postgres://me:secret@/voice?host=/var/run/postgresql',
    'postgres://me@%2Fvar%2Frun%2Fpostgresql/voice',
  ])('a server at %s is taken', (DATABASE_URL) => {
    expect(read({ DATABASE_URL }).database.url).toBe(DATABASE_URL);
  });

  test.each(['0.0.0.0', '::', 'localhost', 'voice-1.internal', 'voice.eu-west.example.com.'])(
    'the host %s is taken',
    (HOST) => {
      expect(problemsOf({ ...PAIR, HOST })).toEqual([]);
    },
  );

  test('a control character in a value stays on its line', () => {
    expect(problemsOf({ ...PAIR, HOST: 'a\nPORT is fine' })[0]).toMatch(/^HOST is "a\\nPORT is fine", and/);
  });
});

describe('outlets', () => {
  const webhook = { OUTLET_WEBHOOK_URL: 'https://example.com/hook', OUTLET_WEBHOOK_SECRET: SECRET };

  test('are told as the module is', () => {
    expect(
      read({
        ...webhook,
        OUTLET_WEBHOOK_SECRET: `${SECRET}, ${SECRET}`,
        OUTLET_WEBHOOK_ALLOW: '10.0.0.0/8,localhost',
        OUTLET_JETSTREAM_URL: 'nats://me:secret@nats-1:4222,nats://nats-2:4222',
        OUTLET_REDIS_URL: 'rediss://:secret@redis:6380/1',
        OUTLET_EVENTS: 'session.settled, livekit.room_*',
      }).outlets,
    ).toEqual({
      jetstream: { url: 'nats://me:secret@nats-1:4222,nats://nats-2:4222' },
      redis: { url: 'rediss://:secret@redis:6380/1' },
      webhook: {
        url: 'https://example.com/hook',
        secrets: [SECRET, SECRET],
        allow: ['10.0.0.0/8', 'localhost'],
      },
      events: ['session.settled', 'livekit.room_*'],
    });
    expect(read(webhook).outlets).toEqual({
      webhook: { url: 'https://example.com/hook', secrets: [SECRET] },
    });
  });

  test.each<[string, string, RegExp]>([
    ['OUTLET_WEBHOOK_URL', 'example.com', /must be an https:\/\/ URL/],
    ['OUTLET_WEBHOOK_URL', 'https://me:100%@example.com/', /a password has %25 for %/],
    [
      'OUTLET_WEBHOOK_URL',
      'http://example.com',
      /https:\/\/ unless its host is allowed.*OUTLET_WEBHOOK_ALLOW/,
    ],
    ['OUTLET_WEBHOOK_URL', 'https://169.254.169.254/', /private or reserved.*OUTLET_WEBHOOK_ALLOW/],
    ['OUTLET_WEBHOOK_SECRET', '', /OUTLET_WEBHOOK_URL is: give what signs/],
    ['OUTLET_WEBHOOK_SECRET', 'a-secret', /whsec_ and 24 to 64 bytes in base64/],
    ['OUTLET_WEBHOOK_SECRET', `${SECRET},whsec_c2hvcnQ=`, /whsec_ and 24 to 64 bytes in base64/],
    ['OUTLET_WEBHOOK_ALLOW', '10.0.0.0/33', /addresses, ranges/],
    ['OUTLET_EVENTS', 'session.began', /events such as session\.\*/],
  ])('%s=%s', (name, value, cure) => {
    const problems = problemsOf({ ...PAIR, ...webhook, [name]: value });
    expect(problems).toEqual([expect.stringMatching(cure)]);
    expect(problems[0]).toMatch(new RegExp(`^${name} `));
  });

  test('publish no event that handlers do not hear of', () => {
    const problems = (LIVEKIT_WEBHOOK_EVENTS: string, OUTLET_EVENTS: string) =>
      problemsOf({ ...PAIR, ...webhook, LIVEKIT_WEBHOOK_EVENTS, OUTLET_EVENTS });
    expect(problems('room_finished', 'session.*,livekit.room_*')).toEqual([
      'OUTLET_EVENTS names room_started, which LIVEKIT_WEBHOOK_EVENTS leaves out: add them there, or unset it',
    ]);
    expect(problems('room_finished', 'livekit.*')).toEqual([]);
    expect(problems('room_finished,*', 'livekit.room_started')).toEqual([]);
  });
});

describe('TLS', () => {
  const files = { TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'key.pem' };

  test.each([
    ['TLS_KEY_FILE', { TLS_CERT_FILE: 'cert.pem' }],
    ['TLS_CERT_FILE', { TLS_KEY_FILE: 'key.pem' }],
  ])('%s is wanted beside the other', (missing, given) => {
    const problems = problemsOf({ ...PAIR, ...(given as Variables) });
    expect(problems).toEqual([
      expect.stringMatching(`^${missing} is not set, and .*: give both or neither$`),
    ]);
  });

  test('files that cannot be read are refused, each by its name', () => {
    const problems = problemsOf({ ...PAIR, ...files }, () => false);
    expect(problems).toEqual([
      expect.stringMatching(/^TLS_CERT_FILE is "cert.pem", and must be the path of a readable file$/),
      expect.stringMatching(/^TLS_KEY_FILE must be the path of a readable file$/),
    ]);
  });

  test('unless told otherwise, it is looked whether they can be read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'environment-'));
    try {
      const file = join(folder, 'file.pem');
      writeFileSync(file, '');
      const tls = (path: string) => readEnvironment({ ...PAIR, TLS_CERT_FILE: path, TLS_KEY_FILE: path });
      expect(tls(file).http.tls).toEqual({ certFile: file, keyFile: file });
      expect(() => tls(join(folder, 'none.pem'))).toThrow(/TLS_CERT_FILE.*readable/);
      expect(() => tls(folder)).toThrow(/TLS_CERT_FILE.*readable/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('an engine', () => {
  const onServer = { DATABASE_URL: 'postgres://db/voice' };

  test('is not for SQLite', () => {
    expect(problemsOf({ ...PAIR, DELIVERY_ENGINE: 'bullmq', REDIS_URL: 'redis://redis' })).toEqual([
      expect.stringMatching(
        /^DELIVERY_ENGINE is bullmq, and SQLite has one process.*DATABASE_URL a PostgreSQL/,
      ),
    ]);
  });

  test.each([
    ['bullmq', 'REDIS_URL', 'redis:///0'],
    ['bullmq', 'REDIS_URL', 'redis://redis/voice'],
    ['jetstream', 'NATS_URL', 'nats:///0'],
  ])('%s needs %s', (engine, name, nowhere) => {
    expect(problemsOf({ ...PAIR, ...onServer, DELIVERY_ENGINE: engine })).toContainEqual(
      `${name} is not set, and DELIVERY_ENGINE is ${engine}: tell where it is`,
    );
    for (const value of ['http://me:marker@there', nowhere])
      expect(problemsOf({ ...PAIR, ...onServer, DELIVERY_ENGINE: engine, [name]: value })).toEqual([
        expect.stringMatching(new RegExp(`^(?!.*marker)${name} must be`)),
      ]);
  });
});

describe('the message', () => {
  test('tells several problems at once, a line each', () => {
    expect(() =>
      readEnvironment({ PORT: 'http', ROLE: 'edge', ADMIN_TOKEN: 'short' }, () => true, false),
    ).toThrow(/^The environment can't be used:(\n {2}- [A-Z_]+ .+){4}$/);
    const names = problemsOf({ PORT: 'http', ROLE: 'edge', ADMIN_TOKEN: 'short' }).map((line) =>
      line.slice(0, line.indexOf(' ')),
    );
    expect(names.sort()).toEqual(['ADMIN_TOKEN', 'LIVEKIT_API_SECRET', 'PORT', 'ROLE']);
  });

  test('tells nothing secret, wherever it stands', () => {
    const problems = problemsOf(
      {
        LIVEKIT_API_KEY: 'APIkey:marker-a',
        LIVEKIT_API_SECRET: 'marker-b',
        LIVEKIT_API_KEYS: 'APIkey:marker-c,marker-d',
        LIVEKIT_URL: 'wss//me:marker-e@livekit',
        DATABASE_URL: 'mysql://root:marker-f@db/voice',
        DATABASE_LISTEN_URL: 'mysql://root:marker-n@db/voice',
        REDIS_URL: 'redis://:marker-g@redis',
        NATS_URL: 'nats://marker-h@nats',
        OUTLET_WEBHOOK_SECRET: 'whsec_marker-i',
        OUTLET_REDIS_URL: 'redis:/:marker-j@redis',
        OUTLET_JETSTREAM_URL: 'nats//me:marker-n@nats',
        OUTLET_WEBHOOK_URL: 'http://me:marker-o@example.com',
        ADMIN_TOKEN: 'marker k',
        METRICS_TOKEN: 'marker-l',
        TLS_CERT_FILE: 'cert.pem',
        TLS_KEY_FILE: '-----BEGIN PRIVATE KEY-----\nmarker-m',
      },
      () => false,
    );
    expect(problems).toHaveLength(13);
    expect(problems.join('\n')).not.toMatch(/marker/);
  });
});

describe('a warning is given', () => {
  test('when the issuer is not checked', () => {
    const { warnings } = readEnvironment({ LIVEKIT_API_SECRET: 'a-secret' }, () => true, false);
    expect(warnings).toEqual([expect.stringMatching(/LIVEKIT_API_KEY is not set.*issuer/)]);
  });

  test.each(['a-secret\n', ' a-secret', '"a-secret"'])(
    'a secret with what was hardly meant: %j',
    (secret) => {
      const { warnings, webhook } = read({ LIVEKIT_API_SECRET: secret });
      expect(warnings).toEqual([
        expect.stringMatching(/LIVEKIT_API_SECRET begins or ends with white space or a quote/),
      ]);
      expect(webhook.keys).toMatchObject([{ apiSecret: secret }]);
    },
  );

  test.each([
    ['LIVEKIT_API_KEY', '"APIkey"'],
    ['LIVEKIT_API_KEYS', `'APIkey:a-secret,APIother:another'`],
    ['ADMIN_TOKEN', '"a-token-of-an-operator"'],
    ['METRICS_TOKEN', '"a-token-of-prometheus"'],
  ])('a quoted %s', (name, value) => {
    expect(read({ [name]: value }).warnings).toEqual([
      expect.stringMatching(`${name} begins or ends with white space or a quote`),
    ]);
  });

  test('when nothing survives a restart', () => {
    expect(read({ DATABASE_URL: ':memory:' }).warnings).toEqual([expect.stringMatching(/nothing survives/)]);
  });
});

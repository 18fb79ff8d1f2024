import { BEARER_TOKEN } from '../access/bearer-token.guard.js';
import type { LogLevel } from '@nestjs/common';
import { accessSync, constants, statSync } from 'node:fs';
import { parseDatabaseUrl } from '../database/database-url.js';
import type { Dialect } from '../database/sql.js';
import type { EventStoreOptions } from '../database/event-store-options.js';
import { LIVEKIT_EVENT_NAMES, type LivekitEventName } from '../livekit-webhook/livekit-events.js';
import type { DeliveryEngineOptions } from '../event-log/engines/delivery-engine.js';
import type { Role } from '../event-log/role.js';
import type { LogOptions } from '../logging/log-options.js';
import type { RetentionSettings } from '../event-log/retention/retention-options.js';
import type { LivekitKey, SignatureScheme } from '../livekit-webhook/livekit-webhook.options.js';
import { type LivekitHealthModuleOptions, MOST_DEAD_LETTERS } from '../health/health.options.js';
import type { OutletsModuleOptions } from '../outlets/outlets.options.js';
import { databaseUrl, hostName, natsUrl, redisUrl, serverUrl } from './address-parsers.js';
import type { AppLoggerOptions } from './app-logger.js';
import { EnvironmentReader } from './environment-reader.js';
import { keysOf } from './key-variables.js';
import { outletsOf } from './outlet-variables.js';
import { duration, durationOrNone, integer, listOf, matching, oneOf, share, size, url } from './parsers.js';
import { wrong } from './units.js';

/** The configuration that the standalone application reads from its environment. */
export interface Environment {
  webhook: {
    keys: LivekitKey[];
    path: string;
    events?: (LivekitEventName | '*')[];
    signatures: SignatureScheme[];
    bodyLimit: number;
    clockTolerance: number;
    log: Required<LogOptions>;
  };
  role: Role;
  deliveries: { engine: DeliveryEngineOptions };
  retention: RetentionSettings;
  database: Required<Pick<EventStoreOptions, 'url' | 'migrations' | 'poolSize'>> &
    Pick<EventStoreOptions, 'listenUrl'>;
  /** Without it, the routes that it protects do not exist. */
  adminToken?: string;
  sessions: {
    livekitUrl?: string;
    reconcileInterval: number;
    settle: number;
    expectTimeout: number;
  };
  metrics: { token?: string };
  health: LivekitHealthModuleOptions;
  outlets: OutletsModuleOptions;
  http: {
    port: number;
    host: string;
    adapter: 'express' | 'fastify';
    tls?: { certFile: string; keyFile: string };
  };
  log: AppLoggerOptions;
  /** What is worth knowing at the start, but does not prevent it. */
  warnings: string[];
}

const token = matching(BEARER_TOKEN, 'at least 16 printable characters without spaces');
const OTHER_ROUTES = [
  '/health',
  '/metrics',
  '/voice/sessions',
  '/voice/expectations',
  '/voice/deliveries',
  '/voice/handlers',
];
const plainPath = matching(
  new RegExp(`^(?!(?:${OTHER_ROUTES.join('|')})(?:/|$))(?:/(?!\\.{1,2}(?:/|$))[\\w.~-]+)+$`, 'i'),
  `a plain path such as /voice/livekit/webhooks, and not one of ${OTHER_ROUTES.join(', ')}`,
);
const age = (least: string) => durationOrNone(least, '36500d');
const logLevel = oneOf('verbose', 'debug', 'log', 'info', 'warn', 'error', 'fatal');

/**
 * Reads and checks the application's environment; an empty variable counts as unset.
 *
 * @param isReadable whether a file can be read.
 * @param isTerminal whether the log is written to a terminal.
 * @throws EnvironmentError naming every wrong variable, what is wrong with its value, and the cure.
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  isReadable: (file: string) => boolean = canRead,
  isTerminal: boolean = process.stdout.isTTY,
): Environment {
  const reader = new EnvironmentReader(env);
  const events = reader.optional('LIVEKIT_WEBHOOK_EVENTS', listOf('*', ...LIVEKIT_EVENT_NAMES));
  const adminToken = reader.secret('ADMIN_TOKEN', token);
  const metricsToken = reader.secret('METRICS_TOKEN', token);
  const tls = tlsFiles(reader, isReadable);
  const keys = keysOf(reader);
  const livekitUrl = livekitUrlOf(reader, keys);
  const database = databaseOf(reader);
  const { dialect } = parseDatabaseUrl(database.url);
  const level = nestLevel(reader.read('LOG_LEVEL', 'info', logLevel));
  const environment: Environment = {
    webhook: {
      keys,
      path: reader.read('LIVEKIT_WEBHOOK_PATH', '/voice/livekit/webhooks', plainPath),
      ...(events && { events }),
      signatures: reader.read('LIVEKIT_WEBHOOK_SIGNATURES', 'livekit,hmac', listOf('livekit', 'hmac')),
      bodyLimit: reader.read('LIVEKIT_WEBHOOK_BODY_LIMIT', '1mb', size('1kb', '64mb')),
      clockTolerance: reader.read('LIVEKIT_WEBHOOK_CLOCK_TOLERANCE', '10s', duration('0s', '5m')),
      log: { level, sample: reader.read('LOG_SAMPLE', '1', share) },
    },
    database,
    role: roleOf(reader, dialect),
    deliveries: { engine: engineOf(reader, dialect) },
    retention: retentionOf(reader),
    ...(adminToken !== undefined && { adminToken }),
    sessions: {
      ...(livekitUrl !== undefined && { livekitUrl }),
      reconcileInterval: reader.read('RECONCILE_INTERVAL', '15s', duration('1s', '1d')),
      settle: reader.read('SESSION_SETTLE', '30s', duration('0s', '30d')),
      expectTimeout: reader.read('SESSION_EXPECT_TIMEOUT', '10m', duration('0s', '365d')),
    },
    metrics: { ...(metricsToken !== undefined && { token: metricsToken }) },
    health: healthOf(reader),
    outlets: outletsOf(reader, events),
    http: {
      port: reader.read('PORT', '8080', integer(0, 65_535)),
      host: reader.read('HOST', '0.0.0.0', hostName),
      adapter: reader.read('HTTP_ADAPTER', 'express', oneOf('express', 'fastify')),
      ...(tls && { tls }),
    },
    log: {
      format: reader.read('LOG_FORMAT', isTerminal ? 'pretty' : 'json', oneOf('pretty', 'json')),
      level,
    },
    warnings: warningsOf(reader, keys),
  };
  reader.finish();
  return environment;
}

function tlsFiles(
  reader: EnvironmentReader,
  isReadable: (file: string) => boolean,
): { certFile: string; keyFile: string } | undefined {
  const file = (text: string): string => (isReadable(text) ? text : wrong('the path of a readable file'));
  const certFile = reader.optional('TLS_CERT_FILE', file);
  // Never shown when it is wrong: the key itself may have been put there.
  const keyFile = reader.secret('TLS_KEY_FILE', file);
  const names = ['TLS_CERT_FILE', 'TLS_KEY_FILE'] as const;
  const [missing, ...others] = names.filter((name) => reader.raw(name) === undefined);
  if (missing !== undefined && others.length === 0) {
    const given = names.find((name) => name !== missing);
    reader.problem(missing, `is not set, and ${given} is: give both or neither`);
  }
  return certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined;
}

function livekitUrlOf(reader: EnvironmentReader, keys: readonly LivekitKey[]): string | undefined {
  const livekitUrl = reader.optional('LIVEKIT_URL', url('https', 'http', 'wss', 'ws'));
  if (livekitUrl !== undefined && !keys.some(({ apiKey }) => apiKey !== undefined)) {
    reader.problem(
      'LIVEKIT_URL',
      'is set, and LIVEKIT_API_KEY is not: give the key that LiveKit is asked with, or unset the URL',
    );
  }
  return livekitUrl;
}

function databaseOf(reader: EnvironmentReader): Environment['database'] {
  const at = reader.secret('DATABASE_URL', databaseUrl) ?? 'file:./data/voice.sqlite';
  const listenUrl = reader.secret('DATABASE_LISTEN_URL', serverUrl);
  if (listenUrl !== undefined && parseDatabaseUrl(at).dialect !== 'postgres') {
    reader.problem('DATABASE_LISTEN_URL', 'is set, and DATABASE_URL is not postgres://…: unset it');
  }
  return {
    url: at,
    migrations: reader.read('DATABASE_MIGRATIONS', 'run', oneOf('run', 'check', 'none')),
    poolSize: reader.read('DATABASE_POOL_SIZE', '10', integer(2, 1_000)),
    ...(listenUrl !== undefined && { listenUrl }),
  };
}

function roleOf(reader: EnvironmentReader, dialect: Dialect): Role {
  const role = reader.read('ROLE', 'all', oneOf('all', 'edge', 'worker'));
  if (role !== 'all') requireServer(reader, 'ROLE', role, dialect);
  return role;
}

function engineOf(reader: EnvironmentReader, dialect: Dialect): DeliveryEngineOptions {
  const type = reader.read('DELIVERY_ENGINE', 'database', oneOf('database', 'bullmq', 'jetstream'));
  if (type === 'database') return { type };
  requireServer(reader, 'DELIVERY_ENGINE', type, dialect);
  const [name, parser] =
    type === 'bullmq' ? (['REDIS_URL', redisUrl] as const) : (['NATS_URL', natsUrl] as const);
  const at = reader.secret(name, parser);
  if (at === undefined && reader.raw(name) === undefined)
    reader.problem(name, `is not set, and DELIVERY_ENGINE is ${type}: tell where it is`);
  return { type, url: at ?? '' };
}

function requireServer(reader: EnvironmentReader, name: string, value: string, dialect: Dialect): void {
  if (dialect === 'postgres') return;
  reader.problem(
    name,
    `is ${value}, and SQLite has one process, which does everything: give DATABASE_URL a PostgreSQL, or unset ${name}`,
  );
}

function retentionOf(reader: EnvironmentReader): RetentionSettings {
  const retention = {
    bodies: reader.read('RETENTION_BODIES', '30d', age('0s')),
    deliveries: reader.read('RETENTION_DELIVERIES', '30d', age('0s')),
    events: reader.read('RETENTION_EVENTS', '400d', age('1d')),
    sessions: reader.read('RETENTION_SESSIONS', 'none', age('0s')),
  };
  reader.requireKnown('RETENTION_'); // or what was to be kept would be pruned
  return retention;
}

function healthOf(reader: EnvironmentReader): LivekitHealthModuleOptions {
  const webhookSilence = reader.optional('HEALTH_WEBHOOK_SILENCE', age('1s'));
  return {
    deliveryLag: reader.read('HEALTH_DELIVERY_LAG', '5m', age('1s')),
    deadLetters: reader.read('HEALTH_DEAD_LETTERS', '0', integer(0, MOST_DEAD_LETTERS)),
    ...(webhookSilence !== undefined && { webhookSilence }),
  };
}

const CREDENTIALS = [
  'LIVEKIT_API_KEY',
  'LIVEKIT_API_SECRET',
  'LIVEKIT_API_KEYS',
  'ADMIN_TOKEN',
  'METRICS_TOKEN',
] as const;

function warningsOf(reader: EnvironmentReader, keys: readonly LivekitKey[]): string[] {
  const warnings: string[] = [];
  if (keys.some(({ apiKey }) => apiKey === undefined)) {
    warnings.push('LIVEKIT_API_KEY is not set: the issuer of tokens is not checked');
  }
  // From a file's last line or a shell's quoting. Kept, as it may be intended; if it is not, every request is unauthorized.
  for (const name of CREDENTIALS) {
    const value = reader.raw(name) ?? '';
    const isPadded = name === 'LIVEKIT_API_SECRET' && value !== value.trim(); // elsewhere it is refused, or trimmed
    if (isPadded || /^["']|["']$/.test(value))
      warnings.push(`${name} begins or ends with white space or a quote, which is taken as a part of it`);
  }
  if (reader.raw('DATABASE_URL') === ':memory:') {
    warnings.push('DATABASE_URL is :memory:, so nothing survives a restart: for trying out only');
  }
  return warnings;
}

const nestLevel = (level: ReturnType<typeof logLevel>): LogLevel => (level === 'info' ? 'log' : level);

function canRead(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return !statSync(file).isDirectory();
  } catch {
    return false;
  }
}

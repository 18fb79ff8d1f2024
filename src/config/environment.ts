import type { LogLevel } from '@nestjs/common';
import { accessSync, constants } from 'node:fs';
import type { EventStoreOptions } from '../database/event-store.js';
import { LIVEKIT_EVENT_NAMES, type LivekitEventName } from '../livekit-webhook/livekit-events.js';
import type { LivekitKey, SignatureScheme } from '../livekit-webhook/livekit-webhook.options.js';
import type { AppLoggerOptions } from './app-logger.js';
import { EnvironmentReader } from './environment-reader.js';
import { duration, integer, listOf, matching, oneOf, size, url } from './parsers.js';

/** What the standalone application is told by its environment. */
export interface Environment {
  webhook: {
    keys: LivekitKey[];
    path: string;
    events?: (LivekitEventName | '*')[];
    signatures: SignatureScheme[];
    bodyLimit: number;
    clockTolerance: number;
  };
  database: Required<Pick<EventStoreOptions, 'url' | 'migrations'>>;
  sessions: { adminToken?: string };
  metrics: { token?: string };
  http: {
    port: number;
    host: string;
    adapter: 'express' | 'fastify';
    tls?: { certFile: string; keyFile: string };
  };
  log: AppLoggerOptions;
  /** What is worth knowing at the start, and no reason not to. */
  warnings: string[];
}

const token = matching(/^[\x21-\x7e]{16,}$/, 'at least 16 printable characters without spaces');
const plainPath = matching(
  /^(?!\/(?:health|metrics|voice\/sessions)(?:\/|$))(?:\/[\w.~-]+)+$/,
  'a plain path such as /voice/livekit/webhooks, and not one of /health, /metrics, /voice/sessions',
);
const databaseUrl = matching(
  /^(?::memory:|file:.+|postgres(?:ql)?:\/\/.+)$/s,
  'file:./data/voice.sqlite, :memory: or postgres://user:password@host/database',
);
const anyDuration = duration('0s', '36500d');
const logLevel = oneOf('verbose', 'debug', 'log', 'info', 'warn', 'error', 'fatal');

/** Variables of a later version, by what they will do: their form is checked already. */
const WITHOUT_EFFECT = {
  LIVEKIT_URL: url('https', 'http', 'wss', 'ws'),
  RECONCILE_INTERVAL: anyDuration,
  SESSION_SETTLE: anyDuration,
  SESSION_EXPECT_TIMEOUT: anyDuration,
  RETENTION_BODIES: anyDuration,
  RETENTION_DELIVERIES: anyDuration,
  RETENTION_EVENTS: anyDuration,
  RETENTION_SESSIONS: anyDuration,
};

/**
 * Reads and checks the application's environment; an empty variable is an unset one.
 *
 * @param isReadable whether a file can be read.
 * @throws EnvironmentError that names every wrong variable, what is wrong with its value, and the cure.
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean = process.stdout.isTTY,
  isReadable: (file: string) => boolean = canRead,
): Environment {
  const reader = new EnvironmentReader(env);
  const events = reader.optional('LIVEKIT_WEBHOOK_EVENTS', listOf('*', ...LIVEKIT_EVENT_NAMES));
  const adminToken = reader.secret('ADMIN_TOKEN', token);
  const metricsToken = reader.secret('METRICS_TOKEN', token);
  const tls = tlsFiles(reader, isReadable);
  const keys = signingKeys(reader);
  refuseWhatIsNotThereYet(reader);
  const environment: Environment = {
    webhook: {
      keys,
      path: reader.read('LIVEKIT_WEBHOOK_PATH', '/voice/livekit/webhooks', plainPath),
      ...(events && { events }),
      signatures: reader.read('LIVEKIT_WEBHOOK_SIGNATURES', 'livekit,hmac', listOf('livekit', 'hmac')),
      bodyLimit: reader.read('LIVEKIT_WEBHOOK_BODY_LIMIT', '1mb', size('1kb', '64mb')),
      clockTolerance: reader.read('LIVEKIT_WEBHOOK_CLOCK_TOLERANCE', '10s', duration('0s', '5m')),
    },
    database: {
      url: reader.secret('DATABASE_URL', databaseUrl) ?? 'file:./data/voice.sqlite',
      migrations: reader.read('DATABASE_MIGRATIONS', 'run', oneOf('run', 'check', 'none')),
    },
    sessions: { ...(adminToken !== undefined && { adminToken }) },
    metrics: { ...(metricsToken !== undefined && { token: metricsToken }) },
    http: {
      port: reader.read('PORT', '8080', integer(0, 65_535)),
      host: reader.read('HOST', '0.0.0.0', matching(/^[\w.:[\]-]+$/, 'an address or a host name')),
      adapter: reader.read('HTTP_ADAPTER', 'express', oneOf('express', 'fastify')),
      ...(tls && { tls }),
    },
    log: {
      format: reader.read('LOG_FORMAT', isTerminal ? 'pretty' : 'json', oneOf('pretty', 'json')),
      level: nestLevel(reader.read('LOG_LEVEL', 'info', logLevel)),
    },
    warnings: warningsOf(reader, keys),
  };
  reader.finish();
  return environment;
}

function signingKeys(reader: EnvironmentReader): LivekitKey[] {
  const apiKey = reader.optional(
    'LIVEKIT_API_KEY',
    matching(/^[^\s:,]+$/, 'an API key, without spaces, `:` and `,`'),
  );
  const apiSecret = reader.secret('LIVEKIT_API_SECRET', matching(/\S/, 'a secret, not only spaces'));
  const listed = reader.secret('LIVEKIT_API_KEYS', keyList) ?? [];
  if (apiSecret === undefined && (apiKey !== undefined || listed.length === 0)) {
    reader.problem(
      'LIVEKIT_API_SECRET',
      'is not set or empty: give the secret of the API key that LiveKit signs its webhooks with' +
        (apiKey === undefined ? ', or several pairs in LIVEKIT_API_KEYS' : ''),
    );
  }
  const own = apiSecret === undefined ? [] : [{ ...(apiKey !== undefined && { apiKey }), apiSecret }];
  const all = [...own, ...listed];
  return all.filter((key, index) => index === all.findIndex((other) => isSameKey(key, other)));
}

const isSameKey = (a: LivekitKey, b: LivekitKey): boolean =>
  a.apiKey === b.apiKey && a.apiSecret === b.apiSecret;

// The message tells no part of a pair: either half may be the secret.
const keyPair = matching(/^\s*[^\s:]+:\s*\S+\s*$/, 'pairs `key:secret`, divided by commas');

const keyList = (text: string): LivekitKey[] =>
  text.split(',').map((pair) => {
    const [apiKey = '', ...secret] = keyPair(pair).trim().split(':');
    return { apiKey, apiSecret: secret.join(':').trim() };
  });

function tlsFiles(
  reader: EnvironmentReader,
  isReadable: (file: string) => boolean,
): { certFile: string; keyFile: string } | undefined {
  const certFile = reader.optional('TLS_CERT_FILE', String);
  const keyFile = reader.optional('TLS_KEY_FILE', String);
  for (const [name, file] of Object.entries({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile })) {
    if (file !== undefined && !isReadable(file))
      reader.problem(name, `names a file that can't be read: ${file}`);
  }
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile !== undefined)
    reader.problem('TLS_KEY_FILE', 'is not set, and TLS_CERT_FILE is: give both or neither');
  if (keyFile !== undefined)
    reader.problem('TLS_CERT_FILE', 'is not set, and TLS_KEY_FILE is: give both or neither');
  return undefined;
}

// To start as if these were heeded would let somebody believe in what is not there.
function refuseWhatIsNotThereYet(reader: EnvironmentReader): void {
  const known = {
    DELIVERY_ENGINE: oneOf('database', 'bullmq', 'jetstream'),
    ROLE: oneOf('all', 'edge', 'worker'),
  };
  for (const [name, parser] of Object.entries(known)) {
    const value = reader.optional<string>(name, parser);
    if (value !== undefined && value !== 'database' && value !== 'all') {
      reader.problem(name, `is ${value}, which is not available in this version: unset it`);
    }
  }
  for (const name of reader.names('OUTLET_'))
    reader.problem(name, 'is not available in this version: unset it');
}

function warningsOf(reader: EnvironmentReader, keys: readonly LivekitKey[]): string[] {
  const warnings: string[] = [];
  if (keys.some(({ apiKey }) => apiKey === undefined)) {
    warnings.push('LIVEKIT_API_KEY is not set: the issuer of tokens is not checked');
  }
  if (reader.raw('DATABASE_URL') === ':memory:') {
    warnings.push('DATABASE_URL is :memory:, so nothing survives a restart: for trying out only');
  }
  for (const [name, parser] of Object.entries(WITHOUT_EFFECT)) {
    if (reader.optional<unknown>(name, parser) !== undefined) {
      warnings.push(`${name} is set, and has no effect in this version yet`);
    }
  }
  return warnings;
}

const nestLevel = (level: ReturnType<typeof logLevel>): LogLevel => (level === 'info' ? 'log' : level);

function canRead(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

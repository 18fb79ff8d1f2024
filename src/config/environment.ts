import type { LogLevel } from '@nestjs/common';
import { accessSync, constants, statSync } from 'node:fs';
import type { EventStoreOptions } from '../database/event-store.js';
import { LIVEKIT_EVENT_NAMES, type LivekitEventName } from '../livekit-webhook/livekit-events.js';
import type { LivekitKey, SignatureScheme } from '../livekit-webhook/livekit-webhook.options.js';
import type { AppLoggerOptions } from './app-logger.js';
import { EnvironmentReader } from './environment-reader.js';
import { duration, integer, listOf, matching, oneOf, size, url } from './parsers.js';
import { wrong } from './units.js';

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
  /^(?!\/(?:health|metrics|voice\/sessions)(?:\/|$))(?:\/[\w.~-]+)+$/i,
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
 * @param isTerminal whether somebody reads the log as it is written.
 * @throws EnvironmentError that names every wrong variable, what is wrong with its value, and the cure.
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
  // Not told when it is wrong: a whole `key:secret` may have been put there.
  const apiKey = reader.secret(
    'LIVEKIT_API_KEY',
    matching(/^[^\s:,]+$/, 'an API key, without spaces, `:` and `,`'),
  );
  const apiSecret = reader.secret('LIVEKIT_API_SECRET', (text) => (text.trim() === '' ? undefined : text));
  const listed = reader.secret('LIVEKIT_API_KEYS', keyList) ?? [];
  const isListed = reader.raw('LIVEKIT_API_KEYS') !== undefined;
  if (apiSecret === undefined && (apiKey !== undefined || !isListed)) {
    reader.problem(
      'LIVEKIT_API_SECRET',
      `is ${reader.isSet('LIVEKIT_API_SECRET') ? '' : 'not set or '}empty: ` +
        'give the secret of the API key that LiveKit signs its webhooks with' +
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
  const file = (text: string): string => (isReadable(text) ? text : wrong('the path of a readable file'));
  const certFile = reader.optional('TLS_CERT_FILE', file);
  // Not told when it is wrong: the key itself may have been put there.
  const keyFile = reader.secret('TLS_KEY_FILE', file);
  const names = ['TLS_CERT_FILE', 'TLS_KEY_FILE'] as const;
  const [missing, ...others] = names.filter((name) => reader.raw(name) === undefined);
  if (missing !== undefined && others.length === 0) {
    const given = names.find((name) => name !== missing);
    reader.problem(missing, `is not set, and ${given} is: give both or neither`);
  }
  return certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined;
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
    return !statSync(file).isDirectory();
  } catch {
    return false;
  }
}

import { LONGEST_TIMEOUT } from '../event-log/clock.js';
import type { DeliveryEngineOptions } from '../event-log/engines/delivery-engine.js';
import { natsAddress } from '../event-log/engines/nats-address.js';
import { isRedisUrl } from '../event-log/engines/redis-url.js';
import type { EventStoreOptions } from '../database/event-store-options.js';
import { parseDatabaseUrl } from '../database/database-url.js';
import type { Role } from '../event-log/role.js';
import { isLogLevel, type LogOptions, type LogSettings, logSettings } from '../logging/log-options.js';
import { LivekitWebhookOptionsError } from './errors.js';
import { keysByPath } from './keys-by-path.js';
import {
  RETENTION_DEFAULTS,
  type RetentionOptions,
  type RetentionSettings,
  SHORTEST_EVENTS,
} from '../event-log/retention/retention-options.js';
import { LIVEKIT_EVENT_NAMES } from './livekit-events.js';
import {
  LIVEKIT_WEBHOOK_EXTRAS,
  LIVEKIT_WEBHOOK_OPTION_NAMES,
  type LivekitWebhookModuleOptions,
  type SignatureScheme,
} from './livekit-webhook.options.js';
import { OptionChecks } from '../option-checks.js';
import type { SigningKey } from './signatures/signature.js';

/** The options of the module, checked, with the defaults filled in. */
export interface WebhookSettings {
  /** The keys to try on each path. */
  keysByPath: ReadonlyMap<string, readonly SigningKey[]>;
  /** The events that the host lets listeners and handlers receive; undefined when the option is not set. */
  events: ReadonlySet<string> | '*' | undefined;
  deliveries: { engine: DeliveryEngineOptions; drainTimeout: number };
  retention: RetentionSettings;
  signatures: ReadonlySet<SignatureScheme>;
  bodyLimit: number;
  bodyTimeout: number;
  clockTolerance: number;
  database: EventStoreOptions;
  log: LogSettings;
}

const check = new OptionChecks(LivekitWebhookOptionsError);

/** The injection token of the settings. */
export const WEBHOOK_SETTINGS = Symbol.for('nestjs-livekit-webhooks:settings');

/**
 * Checks the options and fills in the defaults.
 *
 * @throws LivekitWebhookOptionsError naming the option and the cure.
 */
export function resolveSettings(
  options: LivekitWebhookModuleOptions,
  paths: readonly string[],
  role: Role = 'all',
): WebhookSettings {
  check.known(options, LIVEKIT_WEBHOOK_OPTION_NAMES, LIVEKIT_WEBHOOK_EXTRAS);
  const database = options.database ?? { url: 'file:./data/voice.sqlite' };
  const engine = options.deliveries?.engine ?? { type: 'database' };
  if (role !== 'all') requireServer('role', role, database);
  if (engine.type !== 'database') {
    requireServer('deliveries.engine', engine.type, database);
    requireAddress(engine);
  }
  return {
    keysByPath: keysByPath(options, paths),
    events: allowedEvents(options.events),
    deliveries: {
      engine,
      drainTimeout: check.whole('deliveries.drainTimeout', options.deliveries?.drainTimeout ?? 10_000, {
        most: LONGEST_TIMEOUT - 1_000, // leaves room for the extra second that handlers heeding their signal get
      }),
    },
    retention: retentionSettings(options.retention ?? {}),
    signatures: signatureSchemes(options.signatures),
    bodyLimit: check.whole('bodyLimit', options.bodyLimit ?? 1024 * 1024, { least: 1 }),
    bodyTimeout: check.whole('bodyTimeout', options.bodyTimeout ?? 10_000, {
      least: 1,
      most: LONGEST_TIMEOUT,
    }),
    clockTolerance: check.whole('clockTolerance', options.clockTolerance ?? 10_000),
    database,
    log: checkedLog(options.log ?? {}),
  };
}

function requireServer(option: string, value: string, { url }: EventStoreOptions): void {
  if (parseDatabaseUrl(url).dialect === 'postgres') return;
  throw new LivekitWebhookOptionsError(
    option,
    `is \`${value}\`, and SQLite has one process, which does everything: give \`database.url\` a PostgreSQL, or leave the option out`,
  );
}

function requireAddress({ type, url }: Exclude<DeliveryEngineOptions, { type: 'database' }>): void {
  if (type === 'bullmq' ? isRedisUrl(url) : natsAddress(url) !== undefined) return;
  const example = type === 'bullmq' ? 'redis://redis.example.com:6379' : 'nats://nats.example.com:4222';
  throw new LivekitWebhookOptionsError('deliveries.engine.url', `must be an address such as \`${example}\``);
}

function allowedEvents(events: LivekitWebhookModuleOptions['events']): WebhookSettings['events'] {
  if (events === undefined) return undefined;
  if (events === '*' || check.list('events', events).includes('*')) return '*';
  const unknown = events.find((name) => !(LIVEKIT_EVENT_NAMES as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new LivekitWebhookOptionsError(
      'events',
      `names \`${unknown}\`, which LiveKit does not send: use ${LIVEKIT_EVENT_NAMES.join(', ')}, or '*' for whatever comes`,
    );
  }
  return new Set(events);
}

function signatureSchemes(
  schemes: readonly SignatureScheme[] = ['livekit', 'hmac'],
): ReadonlySet<SignatureScheme> {
  if (
    check.list('signatures', schemes).length === 0 ||
    schemes.some((scheme) => scheme !== 'livekit' && scheme !== 'hmac')
  ) {
    throw new LivekitWebhookOptionsError('signatures', "must be `['livekit']`, `['hmac']` or both");
  }
  return new Set(schemes);
}

function retentionSettings(options: RetentionOptions): RetentionSettings {
  const age = (what: keyof RetentionSettings, least = 0): number | false => {
    const value = options[what] ?? RETENTION_DEFAULTS[what];
    return value === false ? false : check.whole(`retention.${what}`, value, { least, or: ', or `false`' });
  };
  return {
    bodies: age('bodies'),
    deliveries: age('deliveries'),
    events: age('events', SHORTEST_EVENTS),
    sessions: age('sessions'),
  };
}

function checkedLog(options: LogOptions): LogSettings {
  const { level, sample } = options;
  if (level !== undefined && !isLogLevel(level)) {
    throw new LivekitWebhookOptionsError(
      'log.level',
      "must be one of Nest's levels, such as `'log'` or `'warn'`",
    );
  }
  if (sample !== undefined && !(sample >= 0 && sample <= 1)) {
    throw new LivekitWebhookOptionsError('log.sample', 'must be a share, from 0 to 1');
  }
  return logSettings(options);
}

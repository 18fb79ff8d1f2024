import { LONGEST_TIMEOUT } from '../event-log/clock.js';
import { createSecretKey } from 'node:crypto';
import type { DeliveryEngineOptions } from '../event-log/engines/delivery-engine.js';
import { natsAddress } from '../event-log/engines/nats-address.js';
import { isRedisUrl } from '../event-log/engines/redis-url.js';
import type { EventStoreOptions } from '../database/event-store.js';
import { parseDatabaseUrl } from '../database/database-url.js';
import type { Role } from '../event-log/role.js';
import { isLogLevel, type LogOptions, type LogSettings, logSettings } from '../logging/log-options.js';
import { LivekitWebhookOptionsError } from './errors.js';
import type { DeliveryRunnerOptions } from '../event-log/delivery-runner.js';
import {
  RETENTION_DEFAULTS,
  type RetentionOptions,
  type RetentionSettings,
  SHORTEST_EVENTS,
} from '../event-log/retention/retention-options.js';
import { LIVEKIT_EVENT_NAMES } from './livekit-events.js';
import {
  DEFAULT_WEBHOOK_PATH,
  LIVEKIT_WEBHOOK_EXTRAS,
  LIVEKIT_WEBHOOK_OPTION_NAMES,
  type LivekitKey,
  type LivekitProject,
  type LivekitWebhookModuleExtras,
  type LivekitWebhookModuleOptions,
  type SignatureScheme,
} from './livekit-webhook.options.js';
import { strayOption } from '../stray-option.js';
import type { SigningKey } from './signatures/signature.js';

/** The options of the module, checked, with every default in its place. */
export interface WebhookSettings {
  /** The keys to try on each path. */
  keysByPath: ReadonlyMap<string, readonly SigningKey[]>;
  /** The events that the host lets listeners and handlers hear of; undefined: it has not said. */
  events: ReadonlySet<string> | '*' | undefined;
  deliveries: DeliveryRunnerOptions;
  retention: RetentionSettings;
  signatures: ReadonlySet<SignatureScheme>;
  bodyLimit: number;
  bodyTimeout: number;
  clockTolerance: number;
  database: EventStoreOptions;
  log: LogSettings;
}

/** Where the settings are injected from. */
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
  const stray = strayOption(options, { known: LIVEKIT_WEBHOOK_OPTION_NAMES, beside: LIVEKIT_WEBHOOK_EXTRAS });
  if (stray !== undefined) throw new LivekitWebhookOptionsError(...stray);
  const database = options.database ?? { url: 'file:./data/voice.sqlite' };
  const engine = options.deliveries?.engine ?? { type: 'database' };
  if (role !== 'all') requireServer('role', role, database);
  if (engine.type !== 'database') {
    requireServer('deliveries.engine', engine.type, database);
    requireAddress(engine);
  }
  return {
    keysByPath: keysByPath(projectsOf(options), paths),
    events: allowedEvents(options.events),
    deliveries: {
      engine,
      drainTimeout: positive(
        'deliveries.drainTimeout',
        options.deliveries?.drainTimeout ?? 10_000,
        0,
        LONGEST_TIMEOUT - 1_000, // with the second that those who heed their signal have after it
      ),
    },
    retention: retentionSettings(options.retention),
    signatures: signatureSchemes(options.signatures),
    bodyLimit: positive('bodyLimit', options.bodyLimit ?? 1024 * 1024),
    bodyTimeout: positive('bodyTimeout', options.bodyTimeout ?? 10_000, 1, LONGEST_TIMEOUT),
    clockTolerance: positive('clockTolerance', options.clockTolerance ?? 10_000, 0),
    database,
    log: checkedLog(options.log),
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

/** Every path that webhooks are received on: the common ones, and the projects' own. */
export function mountedPaths(
  extras: LivekitWebhookModuleExtras & Pick<LivekitWebhookModuleOptions, 'projects'>,
): string[] {
  const { projects = [], path: common } = extras;
  const own = projects.flatMap(({ path }) => path ?? []);
  const needsCommon = projects.length === 0 || own.length < projects.length;
  const paths = [common ?? (needsCommon ? DEFAULT_WEBHOOK_PATH : []), own].flat(2).map(normalizePath);
  for (const path of paths) {
    if (!/^(?:\/(?!\.{1,2}(?:\/|$))[^\s?#:*(){}[\]!+/]+)+$/.test(path)) {
      throw new LivekitWebhookOptionsError(
        'path',
        `must be a plain path such as \`${DEFAULT_WEBHOOK_PATH}\``,
      );
    }
  }
  return [...new Set(paths)];
}

const normalizePath = (path: string): string => `/${path}`.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '');

function projectsOf(options: LivekitWebhookModuleOptions): LivekitProject[] {
  const { projects, apiKey, apiSecret, keys } = options;
  if (projects === undefined) {
    if (apiSecret === undefined && keys !== undefined && keys.length > 0) {
      const [first, ...rest] = keys as [LivekitKey, ...LivekitKey[]];
      return [{ name: 'default', ...first, keys: rest }];
    }
    return [
      {
        name: 'default',
        ...(apiKey !== undefined && { apiKey }),
        apiSecret: apiSecret as string,
        keys: keys ?? [],
      },
    ];
  }
  if (apiKey !== undefined || apiSecret !== undefined || keys !== undefined) {
    throw new LivekitWebhookOptionsError(
      'projects',
      'stands beside `apiKey`, `apiSecret` or `keys`: move those into it',
    );
  }
  if (projects.length === 0)
    throw new LivekitWebhookOptionsError('projects', 'is empty: name at least one project');
  const names = projects.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    if (typeof name !== 'string' || !/^[a-z0-9_-]{1,64}$/.test(name)) {
      throw new LivekitWebhookOptionsError(
        `projects[${index}].name`,
        'must be 1 to 64 of a-z, 0-9, `_` and `-`',
      );
    }
    if (names.indexOf(name) !== index) {
      throw new LivekitWebhookOptionsError(
        `projects[${index}].name`,
        `repeats \`${name}\`: give every project a name of its own`,
      );
    }
  }
  return projects;
}

// A project with a path of its own has that one; the others share all paths that are nobody's own.
function keysByPath(
  projects: readonly LivekitProject[],
  mounted: readonly string[],
): ReadonlyMap<string, readonly SigningKey[]> {
  const own = new Set(projects.flatMap(({ path }) => (path === undefined ? [] : normalizePath(path))));
  const common = mounted.filter((path) => !own.has(path));
  const byPath = new Map<string, SigningKey[]>(mounted.map((path) => [path, []]));
  for (const project of projects) {
    const option = project.name === 'default' ? '' : `projects \`${project.name}\`: `;
    const keys = [project, ...(project.keys ?? [])].map((key) => signingKey(project.name, key, option));
    for (const path of project.path === undefined ? common : [normalizePath(project.path)]) {
      const others = byPath.get(path);
      if (others === undefined) {
        throw new LivekitWebhookOptionsError(
          `${option}path`,
          `is \`${path}\`, where nothing is mounted: give every path beside \`useFactory\` too, \`path: ['${mounted[0]}', '${path}']\``,
        );
      }
      others.push(...keys);
    }
  }
  for (const [path, keys] of byPath) {
    if (keys.length === 0) {
      throw new LivekitWebhookOptionsError(
        'path',
        `mounts \`${path}\`, which belongs to no project: give one that \`path\`, or take it away`,
      );
    }
    refuseAmbiguousKeys(path, keys);
  }
  if (common.length === 0 && projects.some(({ path }) => path === undefined)) {
    throw new LivekitWebhookOptionsError(
      'path',
      'leaves no path to the projects that have none of their own: name one more',
    );
  }
  return byPath;
}

function refuseAmbiguousKeys(path: string, keys: readonly SigningKey[]): void {
  for (const [index, key] of keys.entries()) {
    const twin = keys
      .slice(0, index)
      .find((other) => other.project !== key.project && other.secret.equals(key.secret));
    if (twin !== undefined) {
      throw new LivekitWebhookOptionsError(
        'projects',
        `\`${twin.project}\` and \`${key.project}\` share a secret on \`${path}\` and could not be told apart: give one of them a \`path\` of its own`,
      );
    }
  }
}

function signingKey(project: string, { apiKey, apiSecret }: LivekitKey, option: string): SigningKey {
  // An empty secret is worse than none: anybody can sign with it.
  if (typeof apiSecret !== 'string' || apiSecret.trim() === '') {
    throw new LivekitWebhookOptionsError(
      `${option}apiSecret`,
      'is missing or empty: give the secret of the API key that LiveKit signs its webhooks with',
    );
  }
  if (apiKey !== undefined && (typeof apiKey !== 'string' || apiKey.trim() === '')) {
    throw new LivekitWebhookOptionsError(
      `${option}apiKey`,
      'is empty: give the API key, or leave it out to accept any issuer',
    );
  }
  return { project, ...(apiKey !== undefined && { apiKey }), secret: createSecretKey(apiSecret, 'utf8') };
}

function allowedEvents(events: LivekitWebhookModuleOptions['events']): WebhookSettings['events'] {
  if (events === undefined) return undefined;
  if (events === '*' || events.includes('*')) return '*';
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
  if (schemes.length === 0 || schemes.some((scheme) => scheme !== 'livekit' && scheme !== 'hmac')) {
    throw new LivekitWebhookOptionsError('signatures', "must be `['livekit']`, `['hmac']` or both");
  }
  return new Set(schemes);
}

function retentionSettings(options: RetentionOptions = {}): RetentionSettings {
  const age = (what: keyof RetentionSettings, least = 0): number | false => {
    const value = options[what] ?? RETENTION_DEFAULTS[what];
    return value === false ? false : positive(`retention.${what}`, value, least);
  };
  return {
    bodies: age('bodies'),
    deliveries: age('deliveries'),
    events: age('events', SHORTEST_EVENTS),
    sessions: age('sessions'),
  };
}

function checkedLog(options: LogOptions = {}): LogSettings {
  const { level, sample } = options;
  if (level !== undefined && !isLogLevel(level)) {
    throw new LivekitWebhookOptionsError(
      'log.level',
      "must be one of Nest's levels, such as `'log'` or `'warn'`",
    );
  }
  if (sample !== undefined) positive('log.sample', sample, 0, 1);
  return logSettings(options);
}

function positive(option: string, value: number, least = 1, most = Number.MAX_VALUE): number {
  if (Number.isFinite(value) && value >= least && value <= most) return value;
  const limit = most === Number.MAX_VALUE ? '' : ` and at most ${most}`;
  throw new LivekitWebhookOptionsError(option, `must be a number of at least ${least}${limit}`);
}

import type { EventStoreOptions } from '../database/event-store-options.js';
import type { DeliveryRunnerOptions } from '../event-log/loop/delivery-runner.js';
import type { RetentionOptions } from '../event-log/retention/retention-options.js';
import type { Role } from '../event-log/role.js';
import type { LogOptions } from '../logging/log-options.js';
import type { OptionNames } from '../option-checks.js';
import type { LivekitEventName } from './livekit-events.js';

/** The ways a delivery may be signed: `livekit` (a JWT with the body's hash) and `hmac` (`X-LiveKit-Signature`). */
export type SignatureScheme = 'livekit' | 'hmac';

/** An API key and its secret. Without the key, any issuer is accepted that signs with the secret. */
export interface LivekitKey {
  apiKey?: string | undefined;
  apiSecret: string;
}

/** One of several LiveKit projects that send their webhooks here. */
export interface LivekitProject extends LivekitKey {
  /** `[a-z0-9_-]{1,64}`: the `source` of its events. */
  name: string;
  /** More keys, as in the option of the same name. */
  keys?: LivekitKey[] | undefined;
  /** A path of its own; without it the project is identified by the token's issuer on the common path. */
  path?: string | undefined;
}

/** The options of `LivekitWebhookModule`, passed to `forRoot` or returned by the factory of `forRootAsync`. */
export interface LivekitWebhookModuleOptions {
  /** The API key that LiveKit signs with (`webhook.api_key` of its configuration). */
  apiKey?: string | undefined;
  /** Its secret. */
  apiSecret?: string | undefined;
  /** More keys, for several servers or a rotation in progress (one key may appear twice, with two secrets). */
  keys?: LivekitKey[] | undefined;
  /** Several LiveKit projects instead of one; `apiKey`, `apiSecret` and `keys` are then given per project. */
  projects?: LivekitProject[] | undefined;
  /**
   * The events that listeners and handlers receive: names, or `'*'`; by default `DEFAULT_EVENTS` and whatever a handler's
   * decorator names. Every verified event is stored in any case.
   */
  events?: readonly (LivekitEventName | '*')[] | '*' | undefined;
  /** Accepted schemes, `['livekit', 'hmac']` by default. */
  signatures?: readonly SignatureScheme[] | undefined;
  /** The largest body in bytes, 1 MiB by default (a participant's metadata may reach 576 KiB, its room's 512 KiB more). */
  bodyLimit?: number | undefined;
  /** How long a body may take to arrive in milliseconds, 10 s by default. */
  bodyTimeout?: number | undefined;
  /** How far LiveKit's clock and ours may differ in milliseconds, 10 s by default. */
  clockTolerance?: number | undefined;
  /** Where events are stored: `{ url: 'file:./data/voice.sqlite' }` by default. */
  database?: EventStoreOptions | undefined;
  /** How durable handlers are run. */
  deliveries?: DeliveryRunnerOptions | undefined;
  /** What is kept for how long. */
  retention?: RetentionOptions | undefined;
  /** What is logged about webhooks and deliveries. */
  log?: LogOptions | undefined;
}

/** The options that shape the routes, which must be known before any factory runs: beside `useFactory` in `forRootAsync`. */
export interface LivekitWebhookModuleExtras {
  /** The path LiveKit posts to, `/voice/livekit/webhooks` by default. In `forRootAsync`, list the projects' own too. */
  path?: string | string[] | undefined;
  /** Put on the webhooks' controller, to let requests past the host's global guards: `[Public(), SkipThrottle()]`. */
  decorators?: ClassDecorator[] | undefined;
  /** The part of this process in an application that runs as several on PostgreSQL, `all` by default. */
  role?: Role | undefined;
  /** The bearer token of `/voice/deliveries` and `/voice/handlers`; without one, and on a worker, neither exists. */
  adminToken?: string | undefined;
  /** Put on their controllers, to let requests past the host's global guards. The token is still required. */
  adminDecorators?: ClassDecorator[] | undefined;
}

// A misspelt `apiKey` would be none, and any issuer accepted.
const KEY_NAMES: OptionNames<LivekitKey> = { apiKey: true, apiSecret: true };

/** The name of every option. */
export const LIVEKIT_WEBHOOK_OPTION_NAMES: OptionNames<LivekitWebhookModuleOptions> = {
  ...KEY_NAMES,
  keys: [KEY_NAMES],
  projects: [{ name: true, ...KEY_NAMES, keys: [KEY_NAMES], path: true }],
  events: true,
  signatures: true,
  bodyLimit: true,
  bodyTimeout: true,
  clockTolerance: true,
  database: {
    url: true,
    migrations: true,
    poolSize: true,
    listenUrl: true,
    handlers: true,
    entities: true,
    entityMigrations: true,
  },
  deliveries: { drainTimeout: true, engine: true },
  retention: { bodies: true, deliveries: true, events: true, sessions: true },
  log: { level: true, sample: true },
};

/** The name of every option that shapes the routes; none is set by default. */
export const LIVEKIT_WEBHOOK_EXTRAS: Readonly<Record<keyof LivekitWebhookModuleExtras, undefined>> = {
  path: undefined,
  decorators: undefined,
  role: undefined,
  adminToken: undefined,
  adminDecorators: undefined,
};

/** The path LiveKit posts to by default. */
export const DEFAULT_WEBHOOK_PATH = '/voice/livekit/webhooks';

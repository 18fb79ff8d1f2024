import type { EventStoreOptions } from '../database/connections.js';
import type { DeliveryRunnerOptions } from '../event-log/delivery-runner.js';
import type { RetentionOptions } from '../event-log/retention/retention-options.js';
import type { Role } from '../event-log/role.js';
import type { LogOptions } from '../logging/log-options.js';
import type { LivekitEventName } from './livekit-events.js';

/** The ways a delivery may be signed: `livekit` (a JWT with the body's hash) and `hmac` (`X-LiveKit-Signature`). */
export type SignatureScheme = 'livekit' | 'hmac';

/** An API key and its secret. Without the key, any issuer signed with the secret is accepted. */
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
  /** A path of its own; without it the project is told by the token's issuer on the common path. */
  path?: string | undefined;
}

/** What `LivekitWebhookModule` is told by `forRoot`, or by the factory of `forRootAsync`. */
export interface LivekitWebhookModuleOptions {
  /** The API key that LiveKit signs with (`webhook.api_key` of its configuration). */
  apiKey?: string | undefined;
  /** Its secret. */
  apiSecret?: string | undefined;
  /** More keys: several servers, or a rotation in progress (one key may stand twice, with two secrets). */
  keys?: LivekitKey[] | undefined;
  /** Several LiveKit projects instead of one; `apiKey`, `apiSecret` and `keys` are then theirs. */
  projects?: LivekitProject[] | undefined;
  /**
   * The events that listeners and handlers hear of: names, or `'*'`. Unless told, `DEFAULT_EVENTS` and whatever a handler's
   * decorator names. Every verified event is stored, whatever stands here.
   */
  events?: readonly (LivekitEventName | '*')[] | '*' | undefined;
  /** Accepted schemes, `['livekit', 'hmac']` by default. */
  signatures?: readonly SignatureScheme[] | undefined;
  /** The largest body in bytes, 1 MiB by default (LiveKit's metadata alone may reach 576 KiB). */
  bodyLimit?: number | undefined;
  /** How long a body may take to arrive in milliseconds, 10 s by default. */
  bodyTimeout?: number | undefined;
  /** How far LiveKit's clock and ours may be apart, milliseconds, 10 s by default. */
  clockTolerance?: number | undefined;
  /** Where events are stored: `{ url: 'file:./data/voice.sqlite' }` by default. */
  database?: EventStoreOptions | undefined;
  /** How durable handlers are run. */
  deliveries?: DeliveryRunnerOptions | undefined;
  /** What is kept how long. */
  retention?: RetentionOptions | undefined;
  /** What is logged of webhooks and of deliveries. */
  log?: LogOptions | undefined;
}

/** What shapes the route, and so must be known before any factory runs: beside `useFactory` in `forRootAsync`. */
export interface LivekitWebhookModuleExtras {
  /** The path LiveKit posts to, `/voice/livekit/webhooks` by default. In `forRootAsync`, also every project's own. */
  path?: string | string[] | undefined;
  /** Put on the webhooks' controller, to let it past the host's global guards: `[Public(), SkipThrottle()]`. */
  decorators?: ClassDecorator[] | undefined;
  /** What this process does of an application that runs as several on PostgreSQL, `all` by default. */
  role?: Role | undefined;
  /** The bearer token of `/voice/deliveries` and `/voice/handlers`; without one, and on a worker, they do not exist. */
  adminToken?: string | undefined;
  /** Put on their controllers, to let them past the host's global guards. The token is asked for all the same. */
  adminDecorators?: ClassDecorator[] | undefined;
}

/** The name of every option, for those whom no compiler tells. */
export const LIVEKIT_WEBHOOK_OPTION_NAMES: Readonly<Record<keyof LivekitWebhookModuleOptions, true>> = {
  apiKey: true,
  apiSecret: true,
  keys: true,
  projects: true,
  events: true,
  signatures: true,
  bodyLimit: true,
  bodyTimeout: true,
  clockTolerance: true,
  database: true,
  deliveries: true,
  retention: true,
  log: true,
};

/** The name of everything that shapes the routes: none of it is given by default. */
export const LIVEKIT_WEBHOOK_EXTRAS: Readonly<Record<keyof LivekitWebhookModuleExtras, undefined>> = {
  path: undefined,
  decorators: undefined,
  role: undefined,
  adminToken: undefined,
  adminDecorators: undefined,
};

/** The path LiveKit posts to by default. */
export const DEFAULT_WEBHOOK_PATH = '/voice/livekit/webhooks';

import { type NatsAddress, natsAddress } from '../event-log/engines/nats-address.js';
import { isRedisUrl } from '../event-log/engines/redis-url.js';
import { ENCODED, isDecodable } from '../is-decodable.js';
import { OptionChecks, type OptionNames } from '../option-checks.js';
import { OutletsOptionsError } from './errors.js';
import { allEventsLike, eventsLike, type PublishedEvents } from './event-patterns.js';
import { Allowance, isAllowEntry } from './webhook/addresses.js';
import { urlProblem } from './webhook/guarded-lookup.js';
import { signingKey } from './webhook/signature.js';

/** Where the outlet `jetstream` publishes to. Needs `@nats-io/transport-node` and `@nats-io/jetstream`. */
export interface JetstreamOutletOptions {
  /** `nats://user:password@host:4222`, `tls://token@host`, or several servers of a cluster, separated by commas. */
  url: string;
}

/** Where the outlet `redis` publishes to. Needs `ioredis`. */
export interface RedisOutletOptions {
  /** `redis://user:password@host:6379/0` or `rediss://…`. */
  url: string;
  /** About how many events each stream keeps, 10,000 by default. */
  maxLength?: number | undefined;
}

/** Where the outlet `webhook` posts to. */
export interface WebhookOutletOptions {
  /** An `https://` URL; `http://` only where its host is allowed. */
  url: string;
  /** The signing secret: `whsec_` and 24 to 64 bytes in base64. */
  secret?: string | undefined;
  /** Several of the same, to replace one by another: each signs. */
  secrets?: readonly string[] | undefined;
  /** Private or reserved targets that are allowed: `10.0.0.0/8`, `192.168.1.7`, `localhost`. Nothing by default. */
  allow?: readonly string[] | undefined;
}

/** The options of `OutletsModule.forRoot`: an outlet exists if its options are given. */
export interface OutletsModuleOptions {
  jetstream?: JetstreamOutletOptions | undefined;
  redis?: RedisOutletOptions | undefined;
  webhook?: WebhookOutletOptions | undefined;
  /** Which events are published, `['session.*']` by default: `session.settled`, `livekit.participant_*`, `*`. */
  events?: readonly string[] | undefined;
}

const OPTION_NAMES: OptionNames<OutletsModuleOptions> = {
  jetstream: { url: true },
  redis: { url: true, maxLength: true },
  webhook: { url: true, secret: true, secrets: true, allow: true },
  events: true,
};

/** How to reach Redis. */
export interface RedisOutletSettings {
  url: string;
  maxLength: number;
}

/** How to post webhooks. */
export interface WebhookOutletSettings {
  url: URL;
  keys: readonly Buffer[];
  allowance: Allowance;
}

/** The options, checked and with the defaults filled in. */
export interface OutletsSettings {
  jetstream?: NatsAddress;
  redis?: RedisOutletSettings;
  webhook?: WebhookOutletSettings;
  events: PublishedEvents;
}

/** The injection token of the settings. */
export const OUTLETS_SETTINGS = Symbol.for('nestjs-livekit-webhooks:outlets-settings');

const check = new OptionChecks(OutletsOptionsError);

/** Which events are published by default. */
const DEFAULT_OUTLET_EVENTS = ['session.*'];

/**
 * Checks the options and fills in the defaults.
 *
 * @throws OutletsOptionsError naming the option and the cure.
 */
export function resolveSettings(options: OutletsModuleOptions): OutletsSettings {
  check.known(options, OPTION_NAMES);
  const { jetstream, redis, webhook, events = DEFAULT_OUTLET_EVENTS } = options;
  return {
    ...(jetstream && { jetstream: jetstreamSettings(jetstream) }),
    ...(redis && { redis: redisSettings(redis) }),
    ...(webhook && { webhook: webhookSettings(webhook) }),
    events: publishedEvents(events),
  };
}

function publishedEvents(patterns: readonly string[]): PublishedEvents {
  const unknown = check.list('events', patterns).find((pattern) => eventsLike(pattern) === undefined);
  if (patterns.length === 0 || unknown !== undefined) {
    throw new OutletsOptionsError(
      'events',
      `${unknown === undefined ? 'is empty' : `has \`${unknown}\`, which is no event`}: name some, such as \`session.*\`, \`session.settled\` or \`livekit.participant_*\``,
    );
  }
  return allEventsLike(patterns);
}

function jetstreamSettings({ url }: JetstreamOutletOptions): NatsAddress {
  const settings = natsAddress(url);
  if (settings !== undefined) return settings;
  throw new OutletsOptionsError('jetstream.url', 'must be an address such as `nats://nats.example.com:4222`');
}

function redisSettings({ url, maxLength = 10_000 }: RedisOutletOptions): RedisOutletSettings {
  if (!isRedisUrl(url)) {
    throw new OutletsOptionsError('redis.url', 'must be an address such as `redis://redis.example.com:6379`');
  }
  return { url, maxLength: check.whole('redis.maxLength', maxLength, { least: 1 }) };
}

function webhookSettings({
  url,
  secret,
  secrets = [],
  allow = [],
}: WebhookOutletOptions): WebhookOutletSettings {
  const wrong = (option: string, problem: string): never => {
    throw new OutletsOptionsError(`webhook.${option}`, problem);
  };
  const all = [...(secret === undefined ? [] : [secret]), ...check.list('webhook.secrets', secrets)];
  if (all.length === 0) wrong('secret', 'is missing: receivers tell by the signature that an event is ours');
  const keys = all.map(
    (each) => signingKey(each) ?? wrong('secret', 'must be `whsec_` and 24 to 64 bytes in base64'),
  );
  const strange = check.list('webhook.allow', allow).findIndex((each) => !isAllowEntry(each));
  if (strange >= 0)
    // not the entry itself: it might be a URL with a password
    wrong(`allow[${strange}]`, 'must be an address, a range such as `10.0.0.0/8`, or the name of a host');
  const problem = webhookUrlProblem(url, allow);
  if (problem !== undefined) wrong('url', problem);
  return { url: new URL(url), keys, allowance: new Allowance(allow) };
}

/** Why webhooks can't be posted to a URL; `undefined` if nothing is known against it. */
export function webhookUrlProblem(text: string, allow: readonly string[]): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) return 'must be an https:// URL';
  if (!isDecodable(url.username + url.password)) return `must be a URL ${ENCODED}`;
  return urlProblem(url, new Allowance(allow));
}

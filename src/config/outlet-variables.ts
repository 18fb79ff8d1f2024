import { allEventsLike, eventsLike } from '../outlets/event-patterns.js';
import { type OutletsModuleOptions, webhookUrlProblem } from '../outlets/outlets.options.js';
import { isAllowEntry } from '../outlets/webhook/addresses.js';
import { signingKey } from '../outlets/webhook/signature.js';
import { natsUrl, redisUrl } from './address-parsers.js';
import type { EnvironmentReader } from './environment-reader.js';
import { each } from './parsers.js';

const OUTLET_URLS = ['OUTLET_JETSTREAM_URL', 'OUTLET_REDIS_URL', 'OUTLET_WEBHOOK_URL'];

/**
 * Reads and checks the variables that begin with `OUTLET_`.
 *
 * @param heard the events of LiveKit that handlers may receive, if the environment names any.
 */
export function outletsOf(reader: EnvironmentReader, heard: readonly string[] = ['*']): OutletsModuleOptions {
  // Never shown when they are wrong: they may hold passwords, and part of a secret is a secret.
  const jetstream = reader.secret('OUTLET_JETSTREAM_URL', natsUrl);
  const redis = reader.secret('OUTLET_REDIS_URL', redisUrl);
  const secrets = reader.secret(
    'OUTLET_WEBHOOK_SECRET',
    each((text) => signingKey(text) !== undefined, 'whsec_ and 24 to 64 bytes in base64'),
  );
  const allow = reader.optional(
    'OUTLET_WEBHOOK_ALLOW',
    each(isAllowEntry, 'addresses, ranges such as 10.0.0.0/8 or names of hosts'),
  );
  const events = reader.optional(
    'OUTLET_EVENTS',
    each(
      (text) => eventsLike(text) !== undefined,
      'events such as session.*, session.settled or livekit.room_*',
    ),
  );
  const webhook = reader.secret('OUTLET_WEBHOOK_URL', (text) => text);
  const problem = webhook === undefined ? undefined : webhookUrlProblem(webhook, allow ?? []);
  if (problem !== undefined) {
    reader.problem('OUTLET_WEBHOOK_URL', `${problem}. OUTLET_WEBHOOK_ALLOW is where hosts are allowed`);
  }
  if (webhook !== undefined && reader.raw('OUTLET_WEBHOOK_SECRET') === undefined) {
    reader.problem(
      'OUTLET_WEBHOOK_SECRET',
      'is not set, and OUTLET_WEBHOOK_URL is: give what signs, whsec_…',
    );
  }
  for (const name of ['OUTLET_WEBHOOK_SECRET', 'OUTLET_WEBHOOK_ALLOW']) {
    if (reader.raw(name) === undefined || webhook !== undefined) continue;
    reader.problem(name, 'is set, and OUTLET_WEBHOOK_URL is not: give both, or unset it');
  }
  if (
    reader.raw('OUTLET_EVENTS') !== undefined &&
    OUTLET_URLS.every((name) => reader.raw(name) === undefined)
  ) {
    reader.problem(
      'OUTLET_EVENTS',
      `is set, and there is no outlet: set ${OUTLET_URLS.join(', ')}, or unset it`,
    );
  }
  const named = allEventsLike(events ?? []).livekit.filter((name) => name !== '*');
  const unheard = heard.includes('*') ? [] : named.filter((name) => !heard.includes(name));
  if (unheard.length > 0) {
    reader.problem(
      'OUTLET_EVENTS',
      `names ${unheard.join(', ')}, which LIVEKIT_WEBHOOK_EVENTS leaves out: add them there, or unset it`,
    );
  }
  reader.requireKnown('OUTLET_');
  return {
    ...(jetstream !== undefined && { jetstream: { url: jetstream } }),
    ...(redis !== undefined && { redis: { url: redis } }),
    ...(webhook !== undefined && secrets && { webhook: { url: webhook, secrets, ...(allow && { allow }) } }),
    ...(events && { events }),
  };
}

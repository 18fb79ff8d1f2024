import type { LivekitKey } from '../livekit-webhook/livekit-webhook.options.js';
import type { EnvironmentReader } from './environment-reader.js';
import { matching } from './parsers.js';

/** Reads the pairs of keys and secrets that LiveKit may sign with, without duplicates. */
export function keysOf(reader: EnvironmentReader): LivekitKey[] {
  // Never shown when it is wrong: a whole `key:secret` may have been put there.
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

// The message shows no part of a pair: either half may be the secret.
const keyPair = matching(/^\s*[^\s:]+:\s*\S+\s*$/, 'pairs `key:secret`, divided by commas');

const keyList = (text: string): LivekitKey[] =>
  text.split(',').map((pair) => {
    const [apiKey = '', ...secret] = keyPair(pair).trim().split(':');
    return { apiKey, apiSecret: secret.join(':').trim() };
  });

import { createHmac, hash } from 'node:crypto';
import type { SignatureScheme } from '../livekit-webhook/livekit-webhook.options.js';

/** The key that a webhook is signed with: one of the module under test. */
export interface SigningKey {
  apiKey: string;
  apiSecret: string;
}

/** How a webhook is signed. */
export interface SigningOptions<S extends SignatureScheme = SignatureScheme> extends SigningKey {
  /** When, UTC milliseconds; now by default. A token lives five minutes. */
  now?: number | undefined;
  /** `livekit` (a token, as every LiveKit server sends) by default, or `hmac`. */
  scheme?: S | undefined;
}

/** The headers that each scheme signs with. */
export interface SignedHeaders {
  livekit: { 'Content-Type': string; Authorization: string };
  hmac: { 'Content-Type': string; 'X-LiveKit-Signature': string };
}

/** The lifetime that LiveKit gives its tokens, seconds (`livekit/protocol webhook/url_notifier.go`). */
const TOKEN_LIFE = 300;

/** The headers that LiveKit, or a relay that signs with `hmac`, would send with these bytes. */
export function signWebhook<S extends SignatureScheme = 'livekit'>(
  body: string | Uint8Array,
  { apiKey, apiSecret, now = Date.now(), scheme }: SigningOptions<S>,
): SignedHeaders[S] {
  const type = { 'Content-Type': 'application/webhook+json' };
  const headers: SignedHeaders[SignatureScheme] =
    scheme === 'hmac'
      ? { ...type, 'X-LiveKit-Signature': createHmac('sha256', apiSecret).update(body).digest('hex') }
      : { ...type, Authorization: mintToken(body, { apiKey, apiSecret }, Math.floor(now / 1000)) };
  return headers as SignedHeaders[S];
}

// Byte for byte what LiveKit makes with the same key at the same second, down to the order of the claims.
function mintToken(body: string | Uint8Array, { apiKey, apiSecret }: SigningKey, second: number): string {
  const sha256 = hash('sha256', body, 'base64');
  const content = [
    { alg: 'HS256', typ: 'JWT' },
    { iss: apiKey, exp: second + TOKEN_LIFE, nbf: second, iat: second, sha256 },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${content}.${createHmac('sha256', apiSecret).update(content).digest('base64url')}`;
}

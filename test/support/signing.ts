import { createHash, createHmac } from 'node:crypto';
import { signWebhook } from '../../src/testing/sign-webhook.js';

/** The key of the hosts of these tests, which signs unless a test says otherwise. */
export const TEST_KEY = { apiKey: 'APItest', apiSecret: 'the-secret-of-the-tests-0123456789abcdef' };

/** What a token has in place of what LiveKit would put there; `undefined` leaves a field out. */
export interface TokenChanges {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
  secret?: string;
  /** The hash of its signature, whatever its header says. */
  hash?: 'sha256' | 'sha384' | 'sha512';
}

/** Mints the token LiveKit would send with these bytes at this time, with `changes`. */
export function mintToken(body: Buffer | string, now: number, changes: TokenChanges = {}): string {
  const token = signWebhook(body, { ...TEST_KEY, now }).Authorization;
  return Object.keys(changes).length === 0 ? token : forged(token, changes);
}

/** The `X-LiveKit-Signature` of these bytes. */
export const hmacOf = (body: Buffer | string, apiSecret: string = TEST_KEY.apiSecret): string =>
  signWebhook(body, { ...TEST_KEY, apiSecret, scheme: 'hmac' })['X-LiveKit-Signature'];

/** The SHA-256 of these bytes. */
export const sha256 = (body: Buffer | string, encoding: 'hex' | 'base64' = 'hex'): string =>
  createHash('sha256').update(body).digest(encoding);

function forged(token: string, changes: TokenChanges): string {
  const { header, claims, secret = TEST_KEY.apiSecret, hash = 'sha256' } = changes;
  const [head, payload] = token.split('.').map(jsonOf);
  const content = [
    { ...head, ...header },
    { ...payload, ...claims },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${content}.${createHmac(hash, secret).update(content).digest('base64url')}`;
}

function jsonOf(segment: string, index: number): object {
  return index < 2 ? (JSON.parse(Buffer.from(segment, 'base64url').toString()) as object) : {};
}

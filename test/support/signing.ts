import { createHash, createHmac } from 'node:crypto';

/** What the hosts of these tests are given, and sign with unless a test says otherwise. */
export const TEST_KEY = { apiKey: 'APItest', apiSecret: 'the-secret-of-the-tests-0123456789abcdef' };

/** What a token is to have instead of what LiveKit would put there; `undefined` leaves a field out. */
export interface TokenChanges {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
  secret?: string;
  /** What signs it, whatever its header says. */
  hash?: 'sha256' | 'sha384' | 'sha512';
}

/** Mints the token LiveKit would send with these bytes at this time (`url_notifier.go`), changed as told. */
export function mintToken(body: Buffer | string, now: number, changes: TokenChanges = {}): string {
  const { header, claims, secret = TEST_KEY.apiSecret, hash = 'sha256' } = changes;
  const seconds = Math.floor(now / 1000);
  const content = [
    { alg: 'HS256', typ: 'JWT', ...header },
    {
      iss: TEST_KEY.apiKey,
      exp: seconds + 300,
      nbf: seconds,
      iat: seconds,
      sha256: sha256(body, 'base64'),
      ...claims,
    },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${content}.${createHmac(hash, secret).update(content).digest('base64url')}`;
}

/** The `X-LiveKit-Signature` of these bytes. */
export const hmacOf = (body: Buffer | string, secret: string = TEST_KEY.apiSecret): string =>
  createHmac('sha256', secret).update(body).digest('hex');

/** The SHA-256 of these bytes. */
export const sha256 = (body: Buffer | string, encoding: 'hex' | 'base64' = 'hex'): string =>
  createHash('sha256').update(body).digest(encoding);

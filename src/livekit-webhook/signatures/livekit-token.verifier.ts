import { createHmac, type KeyObject } from 'node:crypto';
import { equalInConstantTime } from './constant-time.js';
import type { SignatureFailure, SignedRequest, Verdict } from './signature.js';

/** The longest lifetime a token may have: LiveKit gives its own five minutes (`livekit/protocol webhook/url_notifier.go`). */
const LONGEST_LIFE_SECONDS = 10 * 60;

/** `{"alg":"HS256","typ":"JWT"}`, as every token of LiveKit's begins. */
const USUAL_HEADER = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9';

/**
 * Verifies `Authorization: <JWT>`, which every LiveKit server sends: HS256 with a key of ours, valid now, and made for
 * these bytes (`sha256`: the base64 of their SHA-256; `livekit/protocol webhook/resource_url_notifier.go`).
 */
export function verifyLivekitToken(authorization: string, request: SignedRequest): Verdict {
  const [header, payload, signature, ...rest] = authorization.replace(/^Bearer +/i, '').split('.');
  if (!header || !payload || !signature || rest.length > 0) return { reason: 'malformed' };
  const { alg, crit } = header === USUAL_HEADER ? { alg: 'HS256' } : (jsonSegment(header) ?? {});
  const claims = jsonSegment(payload);
  if (alg === undefined || claims === undefined) return { reason: 'malformed' };
  if (alg !== 'HS256') return { reason: 'algorithm' };
  if (crit !== undefined) return { reason: 'critical_header' };
  const candidates = request.keys.filter(({ apiKey }) => apiKey === undefined || apiKey === claims['iss']);
  if (candidates.length === 0) return { reason: 'unknown_key' };
  const key = candidates.find(({ secret }) => isSignedWith(secret, `${header}.${payload}`, signature));
  return key === undefined ? { reason: 'signature' } : (refuseClaims(claims, request) ?? { key });
}

// Compared as text: base64url has several spellings of the same bytes, and a changed character must not pass.
const isSignedWith = (secret: KeyObject, content: string, signature: string): boolean =>
  equalInConstantTime(signature, createHmac('sha256', secret).update(content).digest('base64url'));

function refuseClaims(
  { iss, exp, nbf, iat, sha256 }: Record<string, unknown>,
  { now, clockTolerance, bodySha256 }: SignedRequest,
): SignatureFailure | undefined {
  if (typeof iss !== 'string' || !isTime(exp) || !isTime(nbf) || !(iat === undefined || isTime(iat))) {
    return { reason: 'claims' };
  }
  if (typeof sha256 !== 'string') return { reason: 'claims' };
  if (exp <= nbf || exp - nbf > LONGEST_LIFE_SECONDS) return { reason: 'lifetime' };
  const expiredSince = now - exp * 1000;
  if (expiredSince > clockTolerance) return { reason: 'expired', skew: expiredSince };
  const validIn = nbf * 1000 - now;
  if (validIn > clockTolerance) return { reason: 'not_yet_valid', skew: validIn };
  const wanted = Buffer.from(bodySha256, 'hex').toString('base64');
  return equalInConstantTime(sha256, wanted) ? undefined : { reason: 'body_hash' };
}

const isTime = (claim: unknown): claim is number => Number.isFinite(claim);

function jsonSegment(segment: string): Record<string, unknown> | undefined {
  if (!/^[\w-]+$/.test(segment)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

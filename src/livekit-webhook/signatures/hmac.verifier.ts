import { createHmac } from 'node:crypto';
import { equalInConstantTime } from './constant-time.js';
import type { SignedRequest, Verdict } from './signature.js';

/** How old an event may be: the signature itself has no date, so a captured one could be replayed for ever. */
const OLDEST_EVENT = 10 * 60 * 1000;

/**
 * Verifies `X-LiveKit-Signature: hex(HMAC-SHA256(secret, body))`, which gateways and relays send. The body must be a
 * JSON object: a participant's own access token is an HMAC of `header.payload` under the same secret, so anyone
 * in a room holds a pair that would otherwise pass.
 */
export function verifyHmac(
  signature: string,
  { body, keys, now }: SignedRequest,
  readEvent: () => { json: unknown; occurredAt: number | undefined },
): Verdict {
  const hex = /^(?:sha256=)?([0-9a-f]{64})$/i.exec(signature.trim())?.[1]?.toLowerCase();
  if (hex === undefined) return { reason: 'malformed' };
  const key = keys.find(({ secret }) =>
    equalInConstantTime(hex, createHmac('sha256', secret).update(body).digest('hex')),
  );
  if (key === undefined) return { reason: 'signature' };
  const { json, occurredAt = now } = readEvent();
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return { reason: 'not_an_object' };
  const age = now - occurredAt;
  return age > OLDEST_EVENT ? { reason: 'stale', age } : { key };
}

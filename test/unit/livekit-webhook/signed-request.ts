import { createHash, createSecretKey } from 'node:crypto';
import type { SignedRequest, SigningKey } from '../../../src/livekit-webhook/signatures/signature.js';
import { TEST_KEY } from '../../support/signing.js';
import { NOW } from '../../support/webhook.js';

/** A key as the verifiers take it. */
export const signingKey = (
  apiSecret = TEST_KEY.apiSecret,
  apiKey?: string,
  project = 'default',
): SigningKey => ({
  project,
  ...(apiKey !== undefined && { apiKey }),
  secret: createSecretKey(apiSecret, 'utf8'),
});

/** What a verifier is told of a request with this body. */
export const signedRequest = (body: Buffer | string, more: Partial<SignedRequest> = {}): SignedRequest => ({
  body: Buffer.from(body),
  bodySha256: createHash('sha256').update(body).digest('hex'),
  keys: [signingKey(TEST_KEY.apiSecret, TEST_KEY.apiKey)],
  now: NOW,
  clockTolerance: 10_000,
  ...more,
});

import type { KeyObject } from 'node:crypto';

/** A key that may sign deliveries, and the project it signs for. */
export interface SigningKey {
  project: string;
  /** The issuer that a token must name; any without it. */
  apiKey?: string;
  secret: KeyObject;
}

/** Everything that may be wrong with a signature. */
export const SIGNATURE_FAILURE_REASONS = [
  'missing',
  'malformed',
  'algorithm',
  'critical_header',
  'unknown_key',
  'signature',
  'claims',
  'lifetime',
  'expired',
  'not_yet_valid',
  'body_hash',
  'not_an_object',
  'stale',
] as const;

/** Why a signature was refused: for our log and metric, never for the answer. */
export type SignatureFailureReason = (typeof SIGNATURE_FAILURE_REASONS)[number];

/** A refused signature. */
export interface SignatureFailure {
  reason: SignatureFailureReason;
  /** How far outside its lifetime the token was, milliseconds, when the clock was the reason. */
  skew?: number;
  /** How old the event was, milliseconds, when that was the reason. */
  age?: number;
}

/** Either the key that signed, or why none did. */
export type Verdict = { key: SigningKey } | SignatureFailure;

/** What a verifier knows about a request besides its signature. */
export interface SignedRequest {
  body: Buffer;
  /** Hex. */
  bodySha256: string;
  /** The keys to try. */
  keys: readonly SigningKey[];
  /** The time, UTC milliseconds. */
  now: number;
  /** How far the sender's clock may be off, milliseconds. */
  clockTolerance: number;
}

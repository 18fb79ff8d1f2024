import { AccessToken } from 'livekit-server-sdk';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RunningApplication } from './application.js';

/** A delivery as it was recorded; `captures/README.md` tells of every field. */
export interface Delivery {
  body: string;
  answered: number | null;
}

/** The deliveries of a recorded call, in the order they came. */
export const recorded = (scenario: string): Delivery[] =>
  readFileSync(`captures/${scenario}.jsonl`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Delivery);

/** Posts a body as LiveKit does: the recorded bytes, under a token of today. */
export async function post(
  { url, apiKey }: RunningApplication,
  body: string,
  secret: string,
): Promise<{ status: number; body: { status: string } }> {
  const token = new AccessToken(apiKey, secret, { ttl: 300 });
  token.sha256 = createHash('sha256').update(body).digest('base64');
  const response = await fetch(`${url}/voice/livekit/webhooks`, {
    method: 'POST',
    headers: { 'content-type': 'application/webhook+json', authorization: await token.toJwt() },
    body,
  });
  return { status: response.status, body: (await response.json()) as { status: string } };
}

import { signWebhook } from '../src/testing/sign-webhook.js';
import type { RunningApplication } from './application.js';

/** Posts a body as LiveKit does: the recorded bytes, with a fresh token. */
export async function post(
  { url, apiKey }: RunningApplication,
  body: string,
  apiSecret: string,
): Promise<{ status: number; body: { status: string } }> {
  const headers = signWebhook(body, { apiKey, apiSecret });
  const response = await fetch(`${url}/voice/livekit/webhooks`, { method: 'POST', headers, body });
  return { status: response.status, body: (await response.json()) as { status: string } };
}

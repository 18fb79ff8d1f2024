import { WebhookReceiver } from 'livekit-server-sdk';
import { createHmac } from 'node:crypto';
import { CAPTURED_KEY, capturedCall, capturedCalls, signWebhook } from '../../../src/testing/index.js';

describe('a signature that a test makes', () => {
  test.each(capturedCalls())("is LiveKit's own, byte for byte: %s", (name) => {
    for (const { headers, body } of capturedCall(name).deliveries) {
      const recorded = Object.fromEntries(headers);
      const [, claims = ''] = (recorded['Authorization'] ?? '').split('.');
      const { nbf } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { nbf: number };
      const signed = signWebhook(body, { ...CAPTURED_KEY, now: nbf * 1000 + 999 });
      expect(recorded).toMatchObject(signed);
    }
  });

  test('is of now unless told, and of any bytes', async () => {
    const body = JSON.stringify({ event: 'room_started', id: 'EV_1' });
    const { Authorization } = signWebhook(Buffer.from(body), CAPTURED_KEY);
    const receiver = new WebhookReceiver(CAPTURED_KEY.apiKey, CAPTURED_KEY.apiSecret);
    expect((await receiver.receive(body, Authorization)).id).toBe('EV_1');
  });

  test('is an HMAC of the body for those who ask for one', () => {
    const headers = signWebhook('{}', { ...CAPTURED_KEY, scheme: 'hmac' });
    expect(headers).toEqual({
      'Content-Type': 'application/webhook+json',
      'X-LiveKit-Signature': createHmac('sha256', CAPTURED_KEY.apiSecret).update('{}').digest('hex'),
    });
  });
});

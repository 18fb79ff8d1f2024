import express from 'express';
import { WebhookReceiver } from 'livekit-server-sdk';
import { API_KEY, API_SECRET, PATH } from '../keys.js';
import { type Started, startPlain } from './started.js';

/** What people have today: an Express handler that verifies with LiveKit's own receiver, and stores nothing. */
export function startOfficial(): Promise<Started> {
  const receiver = new WebhookReceiver(API_KEY, API_SECRET);
  const app = express();
  app.post(PATH, express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
    try {
      await receiver.receive((request.body as Buffer).toString(), request.get('Authorization'));
      response.json({ status: 'accepted' });
    } catch {
      response.status(401).json({ status: 'unauthorized' });
    }
  });
  return startPlain(app);
}

import 'reflect-metadata';
import { createSecretKey, hash } from 'node:crypto';
import { EventLog, EventStore } from '../../../dist/index.js';
import { APPEND_QUEUE_LIMITS } from '../../../dist/event-log/append/append-queue.js';
import { EventAppender } from '../../../dist/event-log/append/event-appender.js';
import { systemClock } from '../../../dist/event-log/clock.js';
import { Notifications } from '../../../dist/event-log/notifications.js';
import { WebhookEventDto } from '../../../dist/livekit-webhook/dto/webhook-event.dto.js';
import { readBody } from '../../../dist/livekit-webhook/raw-body/read-body.js';
import { verifyLivekitToken } from '../../../dist/livekit-webhook/signatures/livekit-token.verifier.js';
import type { Receiving } from '../events.js';
import { API_KEY, API_SECRET } from '../keys.js';
import { type Started, startPlain } from './started.js';

/** Our verifier and our log on Node's own server: without Nest, log lines and metrics. */
export async function startBare(url: string): Promise<Started> {
  const store = await EventStore.open({ url });
  const events = new EventAppender(store, systemClock);
  const notifications = new Notifications(store, events);
  const log: unknown = new EventLog(store, events, notifications, APPEND_QUEUE_LIMITS);
  const keys = [{ project: 'default', apiKey: API_KEY, secret: createSecretKey(Buffer.from(API_SECRET)) }];
  return startPlain(async (request, response) => {
    const answer = (status: number, text: string) =>
      response
        .writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': text.length })
        .end(text);
    const reading = await readBody(request, { bodyLimit: 1024 * 1024, bodyTimeout: 10_000 });
    if (reading === 'cut_off' || !('body' in reading)) return answer(400, '{"status":"refused"}');
    const { body } = reading;
    const now = Date.now();
    const bodySha256 = hash('sha256', body, 'hex');
    const { authorization = '' } = request.headers;
    const verdict = verifyLivekitToken(authorization, {
      body,
      bodySha256,
      keys,
      now,
      clockTolerance: 10_000,
    });
    if (!('key' in verdict)) return answer(401, '{"status":"unauthorized"}');
    const { event, id = '', occurredAt = now, room } = WebhookEventDto.from(JSON.parse(body.toString()));
    await (log as Receiving).receive({
      source: verdict.key.project,
      eventId: id,
      kind: 'livekit',
      name: event,
      roomSid: (room?.sid as string) ?? null,
      roomName: (room?.name as string) ?? null,
      occurredAt,
      receivedAt: now,
      bodySha256,
      body,
      traceparent: null,
    });
    return answer(200, '{"status":"accepted"}');
  });
}

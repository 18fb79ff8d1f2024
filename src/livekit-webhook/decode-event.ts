import { WebhookEvent } from 'livekit-server-sdk';
import type { LoggedEvent } from '../event-log/events.js';
import type { LivekitEvent } from './livekit-events.js';

/** Decodes a logged event into what listeners get. */
export function decodeEvent(event: LoggedEvent): LivekitEvent {
  const json = JSON.parse(event.body.toString('utf8'));
  const decoded = WebhookEvent.fromJson(json, { ignoreUnknownFields: true });
  return Object.assign(decoded, {
    project: event.source,
    receivedAt: event.receivedAt,
    raw: event.body,
  }) as unknown as LivekitEvent;
}

import { WebhookEvent } from 'livekit-server-sdk';
import type { LoggedEvent } from '../event-log/events.js';
import type { LivekitEvent, ReconciledLivekitEvent } from './livekit-events.js';

/** Decodes a logged event into what listeners receive. */
export const decodeEvent = (event: LoggedEvent): LivekitEvent =>
  decoded(event, { raw: event.body }) as LivekitEvent;

/** The same for handlers that also receive reconciled events, for which LiveKit has sent no bytes. */
export const decodeAnyEvent = (event: LoggedEvent): LivekitEvent | ReconciledLivekitEvent =>
  event.kind === 'reconciled'
    ? (decoded(event, { reconciled: true }) as ReconciledLivekitEvent)
    : decodeEvent(event);

function decoded({ source, receivedAt, body }: LoggedEvent, more: object): unknown {
  const json = JSON.parse(body.toString('utf8'));
  const event = WebhookEvent.fromJson(json, { ignoreUnknownFields: true });
  return Object.assign(event, { project: source, receivedAt, ...more });
}

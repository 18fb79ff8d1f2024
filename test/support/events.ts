import { createHash } from 'node:crypto';
import type { NewEvent } from '../../src/event-log/events.js';

/** An event to append, with `event` for its body. */
export function newEvent(
  event: { id: string; event?: string; room?: object } & Record<string, unknown>,
): NewEvent {
  const { room = {} } = event as { room?: { sid?: string; name?: string } };
  const body = Buffer.from(JSON.stringify({ event: 'room_started', ...event }));
  return {
    source: 'default',
    eventId: event.id,
    kind: 'livekit',
    name: event.event ?? 'room_started',
    roomSid: room.sid ?? null,
    roomName: room.name ?? null,
    occurredAt: 1_795_423_728_000,
    receivedAt: 1_795_423_728_500,
    bodySha256: createHash('sha256').update(body).digest('hex'),
    body,
    traceparent: null,
  };
}

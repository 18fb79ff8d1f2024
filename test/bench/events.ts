import { createHash } from 'node:crypto';
import { EventStore } from '../../dist/database/event-store.js';
import { appendBatch } from '../../dist/event-log/append/append-batch.js';
import type { NewEvent } from '../../dist/event-log/events.js';
import { nextBody } from './bodies.js';

/** The log as the edge knows it: what the package's types leave out. */
export interface Receiving {
  receive(event: NewEvent): Promise<unknown>;
}

/** Events in one transaction. */
const BATCH = 500;

/** Appends so many events to the log of a database, of which no runner knows yet. */
export async function appendEvents(url: string, count: number, isRouted = false): Promise<void> {
  const store = await EventStore.open({ url });
  for (let left = count; left > 0; left -= BATCH) {
    const events = Array.from({ length: Math.min(left, BATCH) }, nextEvent);
    await store.write((manager) => appendBatch(store.dialect, manager, events));
  }
  if (isRouted) await store.write((manager) => manager.query('UPDATE livekit_events SET routed = true'));
  await store.close();
}

/** An event of a real delivery, with an id that no other has. */
export function nextEvent(): NewEvent {
  const { id, body } = nextBody();
  const { event, room } = JSON.parse(body) as { event: string; room?: { sid: string; name: string } };
  return {
    source: 'default',
    eventId: id,
    kind: 'livekit',
    name: event,
    roomSid: room?.sid ?? null,
    roomName: room?.name ?? null,
    occurredAt: Date.now(),
    receivedAt: Date.now(),
    bodySha256: createHash('sha256').update(body).digest('hex'),
    body: Buffer.from(body),
    traceparent: null,
  };
}

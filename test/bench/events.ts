import { createHash } from 'node:crypto';
import { EventStore } from '../../dist/database/event-store.js';
import { appendBatch } from '../../dist/event-log/append/append-batch.js';
import type { NewEvent } from '../../dist/event-log/events.js';
import { nextBody } from './bodies.js';

/** The log as the edge knows it: what the package's types leave out. */
export interface Receiving {
  receive(event: NewEvent): Promise<unknown>;
}

/** How events are appended to a log. */
export interface Appending {
  /** Events in one transaction, 500 by default. */
  atOnce?: number;
  /** Whether handlers that come later shall not get them, unless by a backfill. */
  isRouted?: boolean;
}

/** Appends events to the log of a database, of which no runner knows yet. */
export async function appendTo(
  url: string,
  events: Iterable<NewEvent>,
  { atOnce = 500, isRouted = false }: Appending = {},
): Promise<void> {
  const store = await EventStore.open({ url });
  for (const batch of inBatches(events, atOnce)) {
    await store.transaction(async (manager) => {
      await appendBatch(store.dialect, manager, batch);
      if (isRouted) await manager.query('UPDATE livekit_events SET routed = true WHERE NOT routed');
    });
  }
  await store.close();
}

function* inBatches<T>(all: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const one of all) {
    batch.push(one);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** So many events of real deliveries. */
export function* someEvents(count: number): Generator<NewEvent> {
  for (let nth = 0; nth < count; nth += 1) yield nextEvent();
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

import { Inject, Injectable } from '@nestjs/common';
import { hash, randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { acceptedOf, appendBatch, outcomesOf } from './append-batch.js';
import { conflictOf, quarantine } from './quarantine.js';
import { activeTraceparent } from '../../tracing/trace-context.js';
import { CLOCK, type Clock } from '../clock.js';
import { Observers } from '../observers.js';
import { plainText, plainTextOrNull } from '../../database/plain-text.js';
import { HostEventError } from '../errors.js';
import { type AppendOutcome, type EventKind, type LoggedEvent, type NewEvent } from '../events.js';

/** An event that is created here, not received. */
export interface EventDraft {
  kind: EventKind;
  name: string;
  /** JSON. */
  data: unknown;
  /** The same id is the same event; a new one by default. */
  id?: string | undefined;
  /** The project, by default the one called `default`. */
  project?: string | undefined;
  /** The room that it is about, by which `ordering: 'room'` orders. */
  room?: { sid?: string | null; name?: string | null } | undefined;
  /** UTC milliseconds; now by default. */
  occurredAt?: number | undefined;
  /** The span that it comes from; the active one by default. */
  traceparent?: string | null;
}

/** Receives the events that this process has just committed, in the order of the log. */
export type CommitListener = (events: readonly LoggedEvent[]) => void;

/** Appends events that are created here, as part of a caller's transaction, and announces committed ones. */
@Injectable()
export class EventAppender {
  private readonly listeners = new Observers<CommitListener>('committed events');

  constructor(
    private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Makes an event of a draft. @throws HostEventError when its data is no JSON. */
  toEvent({ kind, name, data, id, project = 'default', room = {}, ...more }: EventDraft): NewEvent {
    const body = jsonOf(data);
    const now = this.clock.now();
    return {
      source: plainText(project),
      eventId: id === undefined ? `${kind}:${randomUUID()}` : plainText(id),
      kind,
      name,
      roomSid: plainTextOrNull(room.sid),
      roomName: plainTextOrNull(room.name),
      occurredAt: more.occurredAt ?? now,
      receivedAt: now,
      bodySha256: hash('sha256', body, 'hex'),
      body,
      traceparent: more.traceparent ?? activeTraceparent(),
    };
  }

  /** Appends events in a transaction; listeners receive them after its commit. */
  async append(manager: EntityManager, ...drafts: readonly EventDraft[]): Promise<AppendOutcome[]> {
    if (drafts.length === 0) return [];
    const { dialect } = this.store;
    const events = drafts.map((draft) => this.toEvent(draft));
    const seqs = await appendBatch(dialect, manager, events);
    const accepted = acceptedOf(events, seqs);
    const outcomes = await outcomesOf(dialect, events, seqs, (look) => look(manager));
    for (const event of events.filter((_, index) => outcomes[index] === 'conflict'))
      await quarantine(dialect, manager, conflictOf(event));
    if (accepted.length > 0) this.store.afterCommit(manager, () => this.announce(accepted));
    return outcomes;
  }

  /** Calls `listener` with every batch that this process commits; returns a function that ends that. */
  onCommitted(listener: CommitListener): () => void {
    return this.listeners.add(listener);
  }

  /** Passes committed events to the listeners. */
  announce(events: readonly LoggedEvent[]): void {
    this.listeners.tell((listener) => listener(events));
  }
}

function jsonOf(data: unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(data) ?? 'null');
  } catch (cause) {
    throw new HostEventError(
      "an event's `data` can't be written as JSON: it has a BigInt in it, say, or leads back to itself",
      { cause },
    );
  }
}

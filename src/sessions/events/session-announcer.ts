import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { SessionEntity } from '../../database/entities/session.entity.js';
import { EventStore } from '../../database/event-store.js';
import { EventAppender, type EventDraft } from '../../event-log/append/event-appender.js';
import { startSpan } from '../../tracing/spans.js';
import { activeTraceparent, contextOf, linksTo, traceparentOf } from '../../tracing/trace-context.js';
import type { RoomChange } from '../projection/fact-store.js';
import type { RoomFacts } from '../facts/facts.js';
import { type KeptSession, sessionsWithRows } from '../projection/kept-session.js';
import type { Session } from '../session.js';
import { toSession } from '../to-session.js';
import { changesOf, type SessionChange } from './changes.js';
import { SESSION_EVENT_VERSION } from './session-events.js';

/** A change of a room, with its sessions before and after. */
export interface KeptRoom {
  room: RoomChange;
  /** The rows of its sessions until now. */
  rows: readonly SessionEntity[];
  sessions: readonly KeptSession[];
}

/** Announces changes of sessions, as `session.*` events. */
@Injectable()
export class SessionAnnouncer {
  constructor(
    private readonly store: EventStore,
    private readonly events: EventAppender,
  ) {}

  /** Appends the changes as events, in the caller's transaction. @param now UTC milliseconds. */
  async announce(manager: EntityManager, rooms: readonly KeptRoom[], now: number): Promise<void> {
    const drafts = rooms.flatMap((kept) => {
      const changes = changesIn(kept);
      const traceparent = this.trace(manager, kept.sessions, changes);
      return changes.map((change) => ({ ...draftOf(change, kept.room.after, now), traceparent }));
    });
    await this.events.append(manager, ...drafts);
  }

  /** The span in which changes are announced, a child of the latest event's: what follows appears in that event's trace. */
  private trace(
    manager: EntityManager,
    sessions: readonly KeptSession[],
    changes: readonly SessionChange[],
  ): string | null {
    const traceparent = sessions.findLast(({ hasChanged }) => hasChanged)?.row.traceparent ?? null;
    if (traceparent === null || changes.length === 0) return null;
    const span = startSpan('update session', {
      parent: contextOf(traceparent),
      links: linksTo([activeTraceparent()]),
      attributes: { 'livekit.session.events': changes.map(({ name }) => name) },
    });
    this.store.afterCommit(manager, () => span.end());
    return traceparentOf(span);
  }
}

function changesIn({ room: { before, after }, rows, sessions }: KeptRoom): SessionChange[] {
  // Until LiveKit has described the room, its sessions may still get any id: nothing is announced.
  if (after.room.description === null) return [];
  if (sessions.length === rows.length && !sessions.some(({ hasChanged }) => hasChanged)) return [];
  const wasTold = before !== null && before.room.description !== null;
  return changesOf(
    wasTold ? sessionsAsTold(before, rows) : [],
    sessions.map(({ session }) => session),
  );
}

const sessionsAsTold = (facts: RoomFacts, rows: readonly SessionEntity[]): Session[] =>
  sessionsWithRows(facts, rows).flatMap(({ fold, before }) =>
    before === undefined ? [] : [toSession(fold, before)],
  );

function draftOf({ name, payload, key, at }: SessionChange, { room }: RoomFacts, now: number): EventDraft {
  const { segment } = 'session' in payload ? payload.session : payload.before;
  const what = name.slice('session.'.length);
  return {
    kind: 'session',
    name,
    id: ['session', room.roomSid, segment, what, key].filter((part) => part !== '').join(':'),
    project: room.source,
    room: { sid: room.roomSid, name: room.roomName },
    occurredAt: at === null ? now : Date.parse(at),
    data: { version: SESSION_EVENT_VERSION, ...payload },
  };
}

import { Inject, Injectable } from '@nestjs/common';
import { hash } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { SessionEntity } from '../database/entities/session.entity.js';
import { EntityRows } from '../database/entity-rows.js';
import { EventStore } from '../database/event-store.js';
import { type EventDraft, HostEvents } from '../event-log/append/host-events.js';
import { StoreClock } from '../event-log/clock.js';
import { Timetable } from '../event-log/running/timetable.js';
import { changesOf, type SessionChange } from './events/changes.js';
import { SESSION_EVENT_VERSION } from './events/session-events.js';
import { type RoomChange, roomKey } from './fact-store.js';
import type { RoomFacts } from './facts/facts.js';
import { dispositionOf } from './fold/disposition.js';
import { foldRoom, type SessionFold } from './fold/fold.js';
import { finishedFact, reconciledDraft } from './reconciliation/reconciled-event.js';
import { errorFields } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';
import { startSpan } from '../tracing/spans.js';
import { activeTraceparent, contextOf, linksTo, traceparentOf } from '../tracing/trace-context.js';
import { type SessionName, SessionNaming } from './session-naming.js';
import { LONGEST_DISPOSITION, type SessionRow } from './session-row.js';
import type { Session } from './session.js';
import { livekitUrlOf, SESSIONS_SETTINGS, type SessionsSettings, textGiven } from './sessions.options.js';
import { isRunning, toSession } from './to-session.js';

/** How long after LiveKit should have closed an empty room, and after it was last heard of, it is taken for closed, milliseconds. */
const CLOSED_AFTER = 5 * 60_000;

/** How sessions are kept beyond what their facts say. */
export interface KeepOptions {
  /** Changes what is kept of a session beside its facts. */
  amend?: (row: Readonly<SessionRow>, fold: SessionFold) => Partial<SessionRow>;
  /** Names sessions anew that have a name. */
  renames?: boolean;
  /** The segment of these rooms that somebody expects now: it may be the one that is awaited, whatever its name. */
  expectedIn?: number;
  /** Sessions settle whose time has come, and rooms are closed that have been empty for so long that LiveKit must have. */
  settles?: boolean;
  /** Nobody is told: what was erased is no correction. */
  quietly?: boolean;
}

/** Keeps what sessions are: folds rooms anew, names and judges their sessions, and tells what has changed of them. */
@Injectable()
export class SessionKeeper {
  private readonly logger = new Log('Sessions');

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly events: HostEvents,
    private readonly timetable: Timetable,
    private readonly naming: SessionNaming,
    @Inject(SESSIONS_SETTINGS) private readonly settings: SessionsSettings,
  ) {}

  /**
   * Keeps the sessions that rooms make now, and appends what has changed of them as `session.*` events, in the caller's
   * transaction, which must hold the rooms (`lockRooms`).
   *
   * @returns how many sessions have changed.
   */
  async keep(
    manager: EntityManager,
    rooms: readonly RoomChange[],
    options: KeepOptions = {},
  ): Promise<number> {
    if (rooms.length === 0) return 0;
    const known = await this.load(manager, rooms);
    const sessions = rooms.flatMap((room) => sessionsOf(room, known.get(roomKey(room.after.room)) ?? []));
    const names = await this.namesOf(manager, sessions, options);
    const now = await this.clock.read(manager);
    const kept = sessions.map((session, nth) => this.next(session, names[nth] as SessionName, now, options));
    await this.save(manager, kept);
    const gone = rooms.flatMap((room) => {
      const count = sessions.filter((session) => session.room === room).length;
      return (known.get(roomKey(room.after.room)) ?? []).filter(({ segment }) => segment >= count);
    });
    if (gone.length > 0)
      await manager.delete(
        SessionEntity,
        gone.map(({ pk }) => pk),
      );
    await this.events.append(manager, ...kept.flatMap(closing));
    if (!options.quietly) {
      const drafts = rooms.flatMap((room) => this.draftsOf(manager, room, known, kept, now));
      await this.events.append(manager, ...drafts);
    }
    this.tellTimetable(manager, kept);
    return kept.filter(({ hasChanged }) => hasChanged).length + gone.length;
  }

  private async load(
    manager: EntityManager,
    rooms: readonly RoomChange[],
  ): Promise<Map<string, SessionEntity[]>> {
    const rows = await new EntityRows(manager, SessionEntity).find(
      ['source', 'roomSid'],
      rooms.map(({ after }) => after.room),
    );
    const byRoom = new Map<string, SessionEntity[]>();
    for (const row of rows) byRoom.set(roomKey(row), [...(byRoom.get(roomKey(row)) ?? []), row]);
    return byRoom;
  }

  /** Names those that have no name yet, or may have another by what is told of their room now. */
  private async namesOf(
    manager: EntityManager,
    sessions: readonly FoldedSession[],
    { renames, expectedIn }: KeepOptions,
  ): Promise<SessionName[]> {
    const isNew = ({ before, room, fold }: FoldedSession) =>
      before === undefined ||
      before.unmatched !== null ||
      room.before?.room.description?.eventId !== fold.description?.eventId;
    const isExpected = ({ fold }: FoldedSession) => fold.segment === expectedIn;
    // Who has ended unmatched is not who is awaited now.
    const isOver = ({ before, fold }: FoldedSession) => before?.unmatched != null && fold.state === 'ended';
    const nameless = sessions
      .filter((session) => renames || isExpected(session) || isNew(session))
      .map((session) => ({
        ...session,
        mayBeAwaited: isExpected(session) || (isNew(session) && !isOver(session)),
      }));
    const names = await this.naming.name(manager, nameless);
    const byFold = new Map(nameless.map(({ fold }, nth) => [fold, names[nth] as SessionName]));
    return sessions.map(({ fold, before }) => byFold.get(fold) ?? (before as SessionEntity));
  }

  private next(
    { fold, before, room }: FoldedSession,
    name: SessionName,
    now: number,
    { settles, amend }: KeepOptions,
  ): KeptSession {
    const isActive = fold.state === 'active';
    const isDue = settles === true && before?.dueAt != null && before.dueAt <= now;
    const settlesAt = isActive
      ? null
      : (before?.settlesAt ?? Math.max(now, fold.endedAt ?? now) + this.settings.settle);
    const isSettled = !isActive && (before?.state === 'settled' || isDue);
    const closes = isActive && isDue && fold.closesAt !== null && fold.closesAt + CLOSED_AFTER <= now;
    const closedAt = closes && !this.isAsked(fold.source) ? fold.closesAt : null;
    const isTold = room.before !== room.after;
    const isHosts = before?.dispositionSource === 'host';
    const given: SessionRow = {
      sessionId: name.sessionId,
      metadata: name.metadata,
      unmatched: name.unmatched,
      state: isActive ? 'active' : isSettled ? 'settled' : 'ended',
      disposition: isHosts ? before.disposition : null,
      dispositionSource: isHosts ? 'host' : null,
      settlesAt,
      revision: before?.revision ?? 0,
    };
    const row = this.judged({ ...given, ...amend?.(given, fold) }, fold, room.after);
    const told = toSession(fold, { ...row, revision: 0 });
    const digest = hash('sha256', JSON.stringify(told), 'hex');
    const hasChanged = digest !== before?.digest;
    const revision = row.revision + (hasChanged ? 1 : 0);
    const entity = {
      ...row,
      source: fold.source,
      roomSid: fold.roomSid,
      segment: fold.segment,
      beganAt: fold.beganAt,
      endedAt: fold.endedAt,
      dueAt: closedAt === null ? this.dueAt(fold, row, isTold ? null : (before?.dueAt ?? null), now) : null,
      revision,
      digest,
      traceparent: room.traceparent ?? before?.traceparent ?? null,
    };
    const isStale = hasChanged || entity.dueAt !== before.dueAt || entity.beganAt !== before.beganAt;
    return {
      room,
      row: entity,
      pk: before?.pk,
      session: { ...told, revision },
      closedAt,
      hasChanged,
      isStale,
    };
  }

  /**
   * When somebody must look at it again.
   *
   * @param before when somebody was to; `null`: nobody was, or something has been told of its room since.
   */
  private dueAt(
    { source, closesAt, recordings }: SessionFold,
    { state, settlesAt }: SessionRow,
    before: number | null,
    now: number,
  ): number | null {
    if (state === 'active') {
      if (closesAt === null || this.isAsked(source)) return null;
      // What is told may be long past (a backlog, a replay of recorded webhooks), and the next of it on its way.
      return Math.max(closesAt + CLOSED_AFTER, before ?? now + CLOSED_AFTER);
    }
    if (state === 'settled' || settlesAt === null) return null;
    return recordings.some(isRunning) ? settlesAt + this.settings.recordingTimeout : settlesAt;
  }

  /** Whether LiveKit is asked: then it tells itself what is gone. */
  private isAsked(source: string): boolean {
    return livekitUrlOf(this.settings, source) !== undefined;
  }

  /** Says how a session went: the host's word stands, then the option's, then the rules'. */
  private judged(row: SessionRow, fold: SessionFold, facts: RoomFacts): SessionRow {
    if (row.dispositionSource === 'host') return row;
    const disposition = dispositionOf(fold, this.settings.parties);
    const ruled: SessionRow = { ...row, disposition, dispositionSource: disposition && 'rules' };
    if (disposition === null || this.settings.disposition === undefined) return ruled;
    try {
      const given = textGiven(this.settings.disposition(toSession(fold, ruled), facts));
      return given === null
        ? ruled
        : { ...row, disposition: given.slice(0, LONGEST_DISPOSITION), dispositionSource: 'option' };
    } catch (error) {
      const { roomName, roomSid, source } = fold;
      this.logger.warn('the option disposition failed: the rules say', {
        room: roomName,
        roomSid,
        project: source,
        ...errorFields(error),
      });
      return ruled;
    }
  }

  private async save(manager: EntityManager, kept: readonly KeptSession[]): Promise<void> {
    const stale = kept.filter(({ isStale }) => isStale);
    const known = stale.flatMap(({ row, pk }) => (pk === undefined ? [] : [{ ...row, pk }]));
    const fresh = stale.filter(({ pk }) => pk === undefined).map(({ row }) => row);
    const rows = new EntityRows(manager, SessionEntity);
    // By the key that it has: an insert takes a new one of PostgreSQL's 32 bits, also where it changes a row.
    await rows.upsert(known, ['pk']);
    await rows.upsert(fresh, ['source', 'roomSid', 'segment']);
  }

  // Until LiveKit has told the room, its sessions may yet be called anything: nobody is told of them.
  private draftsOf(
    manager: EntityManager,
    room: RoomChange,
    known: ReadonlyMap<string, readonly SessionEntity[]>,
    kept: readonly KeptSession[],
    now: number,
  ): EventDraft[] {
    const { before, after } = room;
    if (after.room.description === null) return [];
    const theirs = kept.filter((session) => session.room === room);
    if (
      !theirs.some(({ hasChanged }) => hasChanged) &&
      theirs.length === known.get(roomKey(after.room))?.length
    )
      return [];
    const rows = known.get(roomKey(after.room)) ?? [];
    const told = before === null || before.room.description === null ? [] : sessionsAsTold(before, rows);
    const changes = changesOf(
      told,
      theirs.map(({ session }) => session),
    );
    const traceparent = this.trace(manager, theirs, changes);
    return changes.map((change) => ({ ...draftOf(change, after, now), traceparent }));
  }

  /** The span in which changes are told, a child of the latest event's: so what follows is seen in that event's trace. */
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

  private tellTimetable(manager: EntityManager, kept: readonly KeptSession[]): void {
    const times = kept.flatMap(({ row, isStale }) => (isStale ? (row.dueAt ?? []) : []));
    if (times.length > 0) this.store.afterCommit(manager, () => this.timetable.tell(Math.min(...times)));
  }
}

/** A session as its room is folded now, and what was kept of it. */
interface FoldedSession {
  room: RoomChange;
  fold: SessionFold;
  before: SessionEntity | undefined;
}

interface KeptSession {
  room: RoomChange;
  row: Omit<SessionEntity, 'pk'>;
  /** `undefined`: it is new. */
  pk: number | undefined;
  /** As it is told from now on. */
  session: Session;
  /** When LiveKit must have closed its room, which has been empty for so long; `null`: it has not, as far as is known. */
  closedAt: number | null;
  hasChanged: boolean;
  /** Whether it must be written. */
  isStale: boolean;
}

const sessionsOf = (room: RoomChange, rows: readonly SessionEntity[]): FoldedSession[] =>
  foldRoom(room.after).map((fold) => ({
    room,
    fold,
    before: rows.find(({ segment }) => segment === fold.segment),
  }));

const sessionsAsTold = (facts: RoomFacts, rows: readonly SessionEntity[]): Session[] =>
  foldRoom(facts).flatMap((fold) => {
    const row = rows.find(({ segment }) => segment === fold.segment);
    return row === undefined ? [] : [toSession(fold, row)];
  });

/** The end that nobody told: when LiveKit closes a room that is empty. */
const closing = ({ room: { after }, closedAt }: KeptSession): EventDraft[] =>
  closedAt === null
    ? []
    : [
        reconciledDraft({
          name: 'room_finished',
          project: after.room.source,
          room: { sid: after.room.roomSid, name: after.room.roomName },
          subject: after.room.roomSid,
          fact: finishedFact(after.room),
          because: 'empty',
          at: closedAt,
        }),
      ];

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

import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { SessionEntity } from '../../database/entities/session.entity.js';
import { EntityRows } from '../../database/entity-rows.js';
import { EventStore } from '../../database/event-store.js';
import { EventAppender, type EventDraft } from '../../event-log/append/event-appender.js';
import { StoreClock } from '../../event-log/clock.js';
import { Timetable } from '../../event-log/timetable.js';
import { type KeptRoom, SessionAnnouncer } from '../events/session-announcer.js';
import { FactStore, type RoomChange, type RoomKey, roomKey } from './fact-store.js';
import type { SessionFold } from '../fold/fold.js';
import { type FoldedSession, type KeptSession, keptSession, sessionsWithRows } from './kept-session.js';
import { reconciledDraft } from '../reconciliation/reconciled-event.js';
import { lockRooms } from './room-locks.js';
import { SessionDispositions } from './session-dispositions.js';
import { type SessionName, SessionNaming } from './session-naming.js';
import type { SessionRow } from './session-row.js';
import { SESSIONS_SETTINGS, type SessionsSettings } from '../sessions.options.js';

/** How sessions are updated, beyond what their facts say. */
export interface KeepOptions {
  /** Changes what is stored of a session besides its facts. */
  amend?: (row: Readonly<SessionRow>, fold: SessionFold) => Partial<SessionRow>;
  /** Also renames sessions that have a name. */
  renames?: boolean;
  /** The segment of these rooms that is expected now: an expectation may match it, whatever its name. */
  expectedIn?: number;
  /** Settles sessions that are due, and closes rooms empty for so long that LiveKit must have closed them. */
  settles?: boolean;
  /** Announces nothing: an erasure is no correction. */
  quietly?: boolean;
}

/** Keeps sessions up to date: folds rooms anew, names and judges their sessions, and has their changes announced. */
@Injectable()
export class SessionKeeper {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly events: EventAppender,
    private readonly timetable: Timetable,
    private readonly naming: SessionNaming,
    private readonly dispositions: SessionDispositions,
    private readonly announcer: SessionAnnouncer,
    @Inject(SESSIONS_SETTINGS) private readonly settings: SessionsSettings,
  ) {}

  /**
   * Stores the sessions that rooms now make, and appends their changes as `session.*` events, in the caller's transaction,
   * which must have locked the rooms (`lockRooms`).
   *
   * @returns how many sessions have changed.
   */
  async keep(
    manager: EntityManager,
    rooms: readonly RoomChange[],
    options: KeepOptions = {},
  ): Promise<number> {
    if (rooms.length === 0) return 0;
    const now = await this.clock.read(manager);
    const kept = await this.next(manager, rooms, now, options);
    const sessions = kept.flatMap((room) => room.sessions);
    const gone = kept.flatMap((room) => room.rows.filter(({ segment }) => segment >= room.sessions.length));
    await this.save(manager, sessions, gone);
    await this.events.append(manager, ...sessions.flatMap((session) => closing(session, now)));
    if (!options.quietly) await this.announcer.announce(manager, kept, now);
    this.tellTimetable(manager, sessions);
    return sessions.filter(({ hasChanged }) => hasChanged).length + gone.length;
  }

  /** Does the same for rooms whose facts stay what they are, and locks them itself. */
  async refold(manager: EntityManager, keys: readonly RoomKey[], options: KeepOptions): Promise<void> {
    await lockRooms(manager, keys);
    const rooms = await new FactStore(manager).load(keys);
    await this.keep(
      manager,
      rooms.map((facts) => ({ before: facts, after: facts })),
      options,
    );
  }

  /** Computes what is stored of the sessions of rooms from now on. */
  private async next(
    manager: EntityManager,
    rooms: readonly RoomChange[],
    now: number,
    { settles = false, amend, ...naming }: KeepOptions,
  ): Promise<KeptRoom[]> {
    const known = await this.load(manager, rooms);
    const folded = rooms.map((room) => {
      const rows = known.get(roomKey(room.after.room)) ?? [];
      const sessions = sessionsWithRows(room.after, rows).map((session) => ({ ...session, room }));
      return { room, rows, sessions };
    });
    const names = await this.namesOf(
      manager,
      folded.flatMap(({ sessions }) => sessions),
      naming,
    );
    const keep = (session: FoldedSession): KeptSession => {
      const { fold, before, room } = session;
      const name = names.get(fold) ?? (before as SessionEntity);
      const judged = (row: SessionRow) =>
        this.dispositions.judged({ ...row, ...amend?.(row, fold) }, fold, room.after);
      return keptSession(session, { name, now, settings: this.settings, settles, judged });
    };
    return folded.map(({ room, rows, sessions }) => ({ room, rows, sessions: sessions.map(keep) }));
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

  /** Names sessions that have no name yet, or whose new facts may change it; the others keep theirs. */
  private async namesOf(
    manager: EntityManager,
    sessions: readonly FoldedSession[],
    { renames, expectedIn, quietly }: Pick<KeepOptions, 'renames' | 'expectedIn' | 'quietly'>,
  ): Promise<Map<SessionFold, SessionName>> {
    const isNew = ({ before, room, fold }: FoldedSession) =>
      before === undefined ||
      // Asked again without what an erasure took, the host might give another id.
      (before.unmatched !== null && !quietly) ||
      room.before?.room.description?.eventId !== fold.description?.eventId;
    const isExpected = ({ fold }: FoldedSession) => fold.segment === expectedIn;
    // A session that has ended, once it could be named, is not the one awaited now, matched or not.
    const isOver = ({ before, room, fold }: FoldedSession) =>
      before !== undefined && fold.state === 'ended' && (room.before?.room.description ?? null) !== null;
    const nameless = sessions
      .filter((session) => renames || isExpected(session) || isNew(session))
      .map((session) => ({
        ...session,
        mayBeAwaited: isExpected(session) || (isNew(session) && !isOver(session)),
      }));
    const names = await this.naming.name(manager, nameless);
    return new Map(nameless.map(({ fold }, nth) => [fold, names[nth] as SessionName]));
  }

  private async save(
    manager: EntityManager,
    kept: readonly KeptSession[],
    gone: readonly SessionEntity[],
  ): Promise<void> {
    const stale = kept.filter(({ isStale }) => isStale);
    const known = stale.flatMap(({ row, pk }) => (pk === undefined ? [] : [{ ...row, pk }]));
    const fresh = stale.filter(({ pk }) => pk === undefined).map(({ row }) => row);
    const rows = new EntityRows(manager, SessionEntity);
    // By their own keys: an insert takes a new one of PostgreSQL's 32 bits, even where it only updates a row.
    await rows.upsert(known, ['pk']);
    await rows.upsert(fresh, ['source', 'roomSid', 'segment']);
    if (gone.length > 0)
      await manager.delete(
        SessionEntity,
        gone.map(({ pk }) => pk),
      );
  }

  private tellTimetable(manager: EntityManager, kept: readonly KeptSession[]): void {
    const times = kept.flatMap(({ row, isStale }) => (isStale ? (row.dueAt ?? []) : []));
    if (times.length > 0) this.store.afterCommit(manager, () => this.timetable.tell(Math.min(...times)));
  }
}

/** The end that no webhook reported: of an empty room, which LiveKit must have closed. */
const closing = ({ room: { after }, closedAt }: KeptSession, now: number): EventDraft[] =>
  closedAt === null
    ? []
    : [
        reconciledDraft({
          name: 'room_finished',
          project: after.room.source,
          room: { sid: after.room.roomSid, name: after.room.roomName },
          subject: after.room.roomSid,
          fact: `finished-${now}`, // it may have been closed before, and refuted or pruned since
          because: 'empty',
          at: closedAt,
        }),
      ];

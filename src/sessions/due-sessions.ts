import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../database/event-store.js';
import { type EventDraft, HostEvents } from '../event-log/append/host-events.js';
import { StoreClock } from '../event-log/clock.js';
import { Parameters } from '../database/sql.js';
import { Timetable } from '../event-log/running/timetable.js';
import { FactStore, type RoomKey, roomKey } from './fact-store.js';
import type { RoomFacts } from './facts/facts.js';
import { foldRoom, type SessionFold } from './fold/fold.js';
import { isOurTurn } from '../database/our-turn.js';
import { finishedFact, reconciledDraft } from './reconciliation/reconciled-event.js';
import { lockRooms } from './room-locks.js';
import { roomsWithin } from './rooms-within.js';
import { SessionKeeper } from './session-keeper.js';
import { livekitUrlOf, SESSIONS_SETTINGS, type SessionsSettings } from './sessions.options.js';

/** Rooms in one transaction: few enough that webhooks, which wait behind it on SQLite, hardly notice. */
const BATCH = 50;

/** Connections, or about so many, that are folded anew in one transaction. */
const CONNECTIONS = 1_000;

/** Settles sessions whose grace is over, and closes rooms that have been empty for so long that LiveKit must have. */
@Injectable()
export class DueSessions implements OnModuleInit {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly events: HostEvents,
    private readonly timetable: Timetable,
    private readonly keeper: SessionKeeper,
    @Inject(SESSIONS_SETTINGS) private readonly settings: SessionsSettings,
  ) {}

  onModuleInit(): void {
    this.timetable.register({ nextAt: () => this.nextAt(), run: () => this.run() });
  }

  private nextAt(): Promise<number | null> {
    return this.store.read(async (manager) => {
      const [row] = await manager.query<{ due_at: number | string | null }[]>(
        'SELECT min(due_at) AS due_at FROM livekit_sessions WHERE due_at IS NOT NULL',
      );
      return row?.due_at == null ? null : Number(row.due_at);
    });
  }

  private run(): Promise<number> {
    return this.store.write(async (manager) => {
      if (!(await isOurTurn(this.store.dialect, manager, 'settling'))) return 0;
      const now = await this.clock.read(manager);
      const keys = distinct(await this.dueAt(manager, now));
      const some = await roomsWithin(this.store.dialect, manager, keys, CONNECTIONS);
      await lockRooms(this.store.dialect, manager, some);
      const rooms = await new FactStore(manager).load(some);
      const due = await this.dueAt(manager, now); // of others something may have been told before they were locked
      for (const facts of rooms) {
        // Where LiveKit is asked, it tells itself what is gone, though another session of the room is due.
        const isAsked = livekitUrlOf(this.settings, facts.room.source) !== undefined;
        const isDue = ({ segment }: SessionFold) =>
          due.some((row) => row.segment === segment && roomKey(row) === roomKey(facts.room));
        const closed = foldRoom(facts).filter((fold) => !isAsked && fold.closesAt !== null && isDue(fold));
        await this.events.append(manager, ...closed.map((fold) => closing(facts, fold)));
      }
      await this.keeper.keep(
        manager,
        rooms.map((facts) => ({ before: facts, after: facts })),
        { settles: true },
      );
      return some.length;
    });
  }

  private async dueAt(manager: EntityManager, now: number): Promise<(RoomKey & { segment: number })[]> {
    const p = new Parameters(this.store.dialect);
    const due = await manager.query<{ source: string; room_sid: string; segment: number }[]>(
      `SELECT source, room_sid, segment FROM livekit_sessions
         WHERE due_at IS NOT NULL AND due_at <= ${p.add(now)} ORDER BY due_at LIMIT ${BATCH}`,
      p.values,
    );
    return due.map(({ source, room_sid, segment }) => ({ source, roomSid: room_sid, segment }));
  }
}

/** The end that nobody told: when LiveKit closes a room that is empty. */
const closing = ({ room }: RoomFacts, { closesAt }: SessionFold): EventDraft =>
  reconciledDraft({
    name: 'room_finished',
    project: room.source,
    room: { sid: room.roomSid, name: room.roomName },
    subject: room.roomSid,
    fact: finishedFact(room),
    because: 'empty',
    at: closesAt as number,
  });

const distinct = (keys: readonly RoomKey[]): RoomKey[] => [
  ...new Map(keys.map((key) => [roomKey(key), key])).values(),
];

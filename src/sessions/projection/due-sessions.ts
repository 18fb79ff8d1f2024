import { Injectable, type OnModuleInit } from '@nestjs/common';
import { tryLock } from '../../database/advisory-locks.js';
import { EventStore } from '../../database/event-store.js';
import { StoreClock } from '../../event-log/clock.js';
import { Timetable } from '../../event-log/timetable.js';
import { distinctRooms } from './fact-store.js';
import { roomsWithin } from './rooms-within.js';
import { SessionKeeper } from './session-keeper.js';

/** Rooms per transaction: few enough that webhooks, which wait behind it on SQLite, hardly notice. */
const BATCH = 50;

/** Settles sessions whose grace period is over, and closes rooms empty for so long that LiveKit must have closed them. */
@Injectable()
export class DueSessions implements OnModuleInit {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly timetable: Timetable,
    private readonly keeper: SessionKeeper,
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
      if (!(await tryLock(manager, 'settling'))) return 0;
      const p = this.clock.parameters();
      const due = await manager.query<{ source: string; room_sid: string }[]>(
        `SELECT source, room_sid FROM livekit_sessions
           WHERE due_at IS NOT NULL AND due_at <= ${this.clock.now(p)} ORDER BY due_at LIMIT ${BATCH}`,
        p.values,
      );
      const keys = distinctRooms(due.map((row) => ({ source: row.source, roomSid: row.room_sid })));
      const some = await roomsWithin(manager, keys);
      await this.keeper.refold(manager, some, { settles: true });
      return some.length;
    });
  }
}

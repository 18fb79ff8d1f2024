import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { rowsOf, SqlParameters } from '../../database/sql.js';
import { Retention } from '../../event-log/retention/retention.js';
import type { RoomKey } from '../projection/fact-store.js';
import { lockRooms } from '../projection/room-locks.js';
import { ExpectationStore } from '../expectations/expectation-store.js';
import { roomsWithin } from '../projection/rooms-within.js';

/** How many rows a room is expected to have: its own, a session, and the connections of a call. */
const ROWS = 5;

/** Prunes sessions that ended long ago, with the facts they are made of. */
@Injectable()
export class SessionsRetention implements OnModuleInit {
  constructor(
    private readonly store: EventStore,
    private readonly retention: Retention,
    private readonly expectations: ExpectationStore,
  ) {}

  onModuleInit(): void {
    this.retention.register({
      prune: (manager, cutoff, limit) => this.prune(manager, cutoff, limit),
    });
  }

  // The sessions of a room are pruned together: folding facts that are still there would bring a pruned one back.
  private async prune(manager: EntityManager, cutoff: number, limit: number): Promise<number> {
    const all = await this.roomsThatEnded(manager, cutoff, `LIMIT ${Math.ceil(limit / ROWS)}`);
    const found = await roomsWithin(manager, all, limit);
    if (found.length === 0) return this.expectations.prune(manager, cutoff, limit);
    await lockRooms(manager, found);
    const p = this.parameters();
    const rooms = await this.roomsThatEnded(manager, cutoff, '', found);
    if (rooms.length === 0) return 0; // they came back to life meanwhile
    const isGone = isOneOfRooms(p, 'source, room_sid', rooms);
    const gone = await manager.query(`DELETE FROM livekit_sessions WHERE ${isGone} RETURNING pk`, p.values);
    for (const table of ['livekit_connections', 'livekit_egresses', 'livekit_rooms']) {
      await manager.query(`DELETE FROM ${table} WHERE ${isGone}`, p.values);
    }
    return rowsOf(gone).length;
  }

  private async roomsThatEnded(
    manager: EntityManager,
    cutoff: number,
    limit: string,
    among?: readonly RoomKey[],
  ): Promise<RoomKey[]> {
    const p = this.parameters();
    const before = p.add(cutoff);
    const these = among === undefined ? '' : `AND ${isOneOfRooms(p, 's.source, s.room_sid', among)}`;
    // What ended before the cutoff also began before it, and the beginning is what is indexed.
    const rows = await manager.query<{ source: string; room_sid: string }[]>(
      `SELECT s.source, s.room_sid FROM livekit_sessions s
       WHERE s.began_at < ${before} AND s.ended_at < ${before} ${these}
         AND (SELECT max(CASE WHEN o.state = 'settled' THEN o.ended_at ELSE ${before} END) FROM livekit_sessions o
              WHERE o.source = s.source AND o.room_sid = s.room_sid) < ${before}
       ORDER BY s.began_at ${limit}`,
      p.values,
    );
    return rows.map((row) => ({ source: row.source, roomSid: row.room_sid }));
  }

  private parameters(): SqlParameters {
    return new SqlParameters(this.store.dialect);
  }
}

const isOneOfRooms = (p: SqlParameters, columns: string, rooms: readonly RoomKey[]): string =>
  p.isOneOfPairs(
    columns,
    rooms.map(({ source, roomSid }) => [source, roomSid] as const),
  );

import type { EntityManager } from 'typeorm';
import { dialectOf, SqlParameters } from '../../database/sql.js';
import { type RoomKey, roomKey } from './fact-store.js';

/** About how many connections are folded anew in one transaction. */
const CONNECTIONS = 1_000;

/** The first of some rooms: as many as have about `limit` connections together, and at least one. */
export async function roomsWithin<R extends RoomKey>(
  manager: EntityManager,
  rooms: readonly R[],
  limit = CONNECTIONS,
): Promise<R[]> {
  if (rooms.length < 2) return [...rooms];
  const p = new SqlParameters(dialectOf(manager));
  const rows = await manager.query<{ source: string; room_sid: string; connections: number | string }[]>(
    `WITH r (source, room_sid) AS (${p.rows(
      ['text', 'text'],
      rooms.map(({ source, roomSid }) => [source, roomSid]),
    )})
     SELECT source, room_sid, (SELECT count(*) FROM (SELECT 1 FROM livekit_connections c
       WHERE c.source = r.source AND c.room_sid = r.room_sid LIMIT ${limit}) AS few) AS connections FROM r`,
    p.values,
  );
  const counts = new Map(
    rows.map((row) => [roomKey({ source: row.source, roomSid: row.room_sid }), Number(row.connections)]),
  );
  let left = limit;
  let first = 0;
  for (; first < rooms.length && left > 0; first += 1) {
    left -= counts.get(roomKey(rooms[first] as R)) ?? 0;
  }
  return rooms.slice(0, first);
}

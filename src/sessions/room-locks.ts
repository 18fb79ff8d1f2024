import type { EntityManager } from 'typeorm';
import type { Dialect } from '../database/sql.js';
import type { RoomKey } from './fact-store.js';

/** The class of our PostgreSQL advisory locks on rooms ("lkwr" in ASCII). */
const ROOM_LOCKS = 0x6c6b7772;

/**
 * Locks rooms for this transaction: two that change facts of one room at once would lose each other's changes. SQLite has one
 * writer anyway.
 */
export async function lockRooms(
  dialect: Dialect,
  manager: EntityManager,
  keys: readonly { source: string; roomSid: RoomKey['roomSid'] | null }[],
): Promise<void> {
  if (dialect === 'sqlite') return;
  const rooms = keys.map(({ source, roomSid }) => `${source}/${roomSid}`);
  // Always in the same order, or two transactions could deadlock.
  await manager.query(
    `SELECT pg_advisory_xact_lock($1, hash)
     FROM (SELECT DISTINCT hashtext(room) AS hash FROM unnest($2::text[]) AS room ORDER BY 1) AS rooms`,
    [ROOM_LOCKS, rooms],
  );
}

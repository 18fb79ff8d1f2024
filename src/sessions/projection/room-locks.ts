import type { EntityManager } from 'typeorm';
import { lockNames } from '../../database/advisory-locks.js';
import { type RoomKey, roomKey } from './fact-store.js';

/** Locks rooms for the rest of the transaction, which may change their facts then. */
export const lockRooms = (manager: EntityManager, rooms: readonly RoomKey[]): Promise<void> =>
  lockNames(manager, 'room', rooms.map(roomKey));

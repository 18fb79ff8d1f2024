import { ConnectionEntity } from './connection.entity.js';
import { RoomEntity } from './room.entity.js';
import { SessionEntity } from './session.entity.js';

/** Every entity of ours. */
export const entities = [RoomEntity, ConnectionEntity, SessionEntity];

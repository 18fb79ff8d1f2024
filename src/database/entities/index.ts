import { ConnectionEntity } from './connection.entity.js';
import { EgressEntity } from './egress.entity.js';
import { ExpectationEntity } from './expectation.entity.js';
import { RoomEntity } from './room.entity.js';
import { SessionEntity } from './session.entity.js';

/** All our entities. */
export const entities = [RoomEntity, ConnectionEntity, EgressEntity, SessionEntity, ExpectationEntity];

import { type EntityManager } from 'typeorm';
import { ConnectionEntity } from '../database/entities/connection.entity.js';
import { RoomEntity } from '../database/entities/room.entity.js';
import type { ConnectionFact, Facts, RoomFact } from './facts/facts.js';
import { mergeConnection, mergeRoom } from './facts/merge.js';

/** What names a room: its project and its sid. */
export type RoomKey = Pick<RoomFact, 'source' | 'roomSid'>;

/** All that is known of a room. */
export interface RoomWithConnections {
  room: RoomFact;
  connections: ConnectionFact[];
}

/** Keeps facts: what is new is merged into what is known. */
export class FactStore {
  constructor(private readonly manager: EntityManager) {}

  /** Merges facts into the stored ones, and gives all that is known now of the rooms that they touch. */
  async merge(facts: Facts): Promise<RoomWithConnections[]> {
    const keys = distinctRooms(facts);
    const known = await this.load(keys);
    const rooms = mergeInto(
      known.map(({ room }) => room),
      facts.rooms,
      roomKey,
      mergeRoom,
    );
    const connections = mergeInto(
      known.flatMap((entry) => entry.connections),
      facts.connections,
      connectionKey,
      mergeConnection,
    );
    if (rooms.changed.length > 0)
      await this.manager.upsert(RoomEntity, rooms.changed as RoomEntity[], ['source', 'roomSid']);
    if (connections.changed.length > 0) {
      await this.manager.upsert(ConnectionEntity, connections.changed.map(connectionRow), [
        'source',
        'roomSid',
        'participantSid',
      ]);
    }
    return together(rooms.all, connections.all);
  }

  /** All that is known of some rooms. */
  async load(keys: readonly RoomKey[]): Promise<RoomWithConnections[]> {
    if (keys.length === 0) return [];
    const where = keys.map(({ source, roomSid }) => ({ source, roomSid }));
    const rooms = await this.manager.findBy(RoomEntity, where);
    const connections = await this.manager.findBy(ConnectionEntity, where);
    return together(rooms, connections);
  }
}

const roomKey = ({ source, roomSid }: RoomKey): string => `${source}/${roomSid}`;

const connectionKey = (connection: ConnectionFact): string =>
  `${roomKey(connection)}/${connection.participantSid}`;

const distinctRooms = ({ rooms, connections }: Facts): RoomKey[] => [
  ...new Map([...rooms, ...connections].map((fact) => [roomKey(fact), fact])).values(),
];

function mergeInto<F>(
  known: readonly F[],
  told: readonly F[],
  keyOf: (fact: F) => string,
  merge: (a: F, b: F) => F,
): { all: F[]; changed: F[] } {
  const facts = new Map(known.map((fact) => [keyOf(fact), fact]));
  const touched = new Set<string>();
  for (const fact of told) {
    const key = keyOf(fact);
    const before = facts.get(key);
    facts.set(key, before === undefined ? fact : merge(before, fact));
    touched.add(key);
  }
  return { all: [...facts.values()], changed: [...touched].map((key) => facts.get(key) as F) };
}

function together(rooms: readonly RoomFact[], connections: readonly ConnectionFact[]): RoomWithConnections[] {
  const byRoom = new Map(rooms.map((room) => [roomKey(room), { room, connections: [] as ConnectionFact[] }]));
  for (const connection of connections) byRoom.get(roomKey(connection))?.connections.push(connection);
  return [...byRoom.values()];
}

function connectionRow(fact: ConnectionFact): ConnectionEntity {
  const attributes = fact.attributes?.value ?? {};
  return {
    ...fact,
    phoneNumber: attributes['sip.phoneNumber'] ?? null,
    trunkPhoneNumber: attributes['sip.trunkPhoneNumber'] ?? null,
  };
}

import { isDeepStrictEqual } from 'node:util';
import type { EntityManager } from 'typeorm';
import { ConnectionEntity } from '../../database/entities/connection.entity.js';
import { EgressEntity } from '../../database/entities/egress.entity.js';
import { RoomEntity } from '../../database/entities/room.entity.js';
import { EntityRows } from '../../database/entity-rows.js';
import { cut } from '../../database/plain-text.js';
import type { ConnectionFact, EgressFact, Facts, RoomFact, RoomFacts } from '../facts/facts.js';
import { mergeConnection, mergeEgress, mergeRoom } from '../facts/merge.js';

/** The key of a room: its project and its sid. */
export type RoomKey = Pick<RoomFact, 'source' | 'roomSid'>;

/** What was known of a room before, and what is known of it now. */
export interface RoomChange {
  /** `null` if the room was not known. */
  before: RoomFacts | null;
  after: RoomFacts;
  /** The span of the latest traced event about it, if there is one. */
  traceparent?: string | undefined;
}

/** Stores facts, merging new ones into those that are known. */
export class FactStore {
  constructor(private readonly manager: EntityManager) {}

  /** Merges facts into the stored ones, and returns all that was and is known of the rooms they touch. */
  async merge(facts: Facts): Promise<RoomChange[]> {
    const before = await this.load(roomsOf(facts));
    const { after, changed } = merged(before, facts);
    await this.keep(changed);
    const known = new Map(before.map((room) => [roomKey(room.room), room]));
    return after.map((room) => ({ before: known.get(roomKey(room.room)) ?? null, after: room }));
  }

  /** Writes facts as they are, over those with the same keys. */
  async keep({ rooms, connections, egresses }: Facts): Promise<void> {
    await new EntityRows(this.manager, RoomEntity).upsert(rooms, ROOM_KEY);
    await new EntityRows(this.manager, ConnectionEntity).upsert(connections.map(connectionRow), [
      'source',
      'roomSid',
      'participantSid',
    ]);
    await new EntityRows(this.manager, EgressEntity).upsert(egresses, ['source', 'egressId']);
  }

  /** Replaces all that is known of a room. */
  async replace({ room, connections, egresses }: RoomFacts): Promise<void> {
    const { source, roomSid } = room;
    await this.manager.delete(ConnectionEntity, { source, roomSid });
    await this.manager.delete(EgressEntity, { source, roomSid });
    await this.keep({ rooms: [room], connections, egresses });
  }

  /** Loads all that is known of some rooms. */
  async load(keys: readonly RoomKey[]): Promise<RoomFacts[]> {
    const rooms = await new EntityRows(this.manager, RoomEntity).find(ROOM_KEY, keys);
    const connections = await new EntityRows(this.manager, ConnectionEntity).find(ROOM_KEY, keys);
    const egresses = await new EntityRows(this.manager, EgressEntity).find(ROOM_KEY, keys);
    return together(rooms, connections, egresses);
  }
}

const ROOM_KEY = ['source', 'roomSid'] as const;

/** Merges new facts into known ones: `after` is all of them, by room, and `changed` the new and changed ones. */
export function merged(known: readonly RoomFacts[], told: Facts): { after: RoomFacts[]; changed: Facts } {
  const rooms = mergeInto(
    known.map(({ room }) => room),
    told.rooms,
    roomKey,
    mergeRoom,
  );
  const connections = mergeInto(
    known.flatMap((facts) => facts.connections),
    told.connections,
    (fact) => `${roomKey(fact)}/${fact.participantSid}`,
    mergeConnection,
  );
  const egresses = mergeInto(
    known.flatMap((facts) => facts.egresses),
    told.egresses,
    (fact) => `${fact.source}/${fact.egressId}`,
    mergeEgress,
  );
  return {
    after: together(rooms.all, connections.all, egresses.all),
    changed: { rooms: rooms.changed, connections: connections.changed, egresses: egresses.changed },
  };
}

/** A room's key as one string. */
export const roomKey = ({ source, roomSid }: RoomKey): string => `${source}/${roomSid}`;

/** The rooms that some facts are about. */
export const roomsOf = ({ rooms, connections, egresses }: Facts): RoomKey[] =>
  distinctRooms([...rooms, ...connections, ...egresses]);

/** The rooms that some facts, or rows, are about: each once. */
export const distinctRooms = (some: readonly RoomKey[]): RoomKey[] => [
  ...new Map(some.map((one) => [roomKey(one), one])).values(),
];

function mergeInto<F extends object>(
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
    const after = before === undefined ? fact : merge(before, fact);
    if (before !== undefined && says(before, after)) continue;
    facts.set(key, after);
    touched.add(key);
  }
  return { all: [...facts.values()], changed: [...touched].map((key) => facts.get(key) as F) };
}

/** Whether a fact already says all that another does: most events tell nothing new about their room. */
const says = <F extends object>(fact: F, other: F): boolean =>
  Object.entries(other).every(([field, value]) => isDeepStrictEqual(fact[field as keyof F], value));

function together(
  rooms: readonly RoomFact[],
  connections: readonly ConnectionFact[],
  egresses: readonly EgressFact[],
): RoomFacts[] {
  const byRoom = new Map<string, RoomFacts>(
    rooms.map((room) => [roomKey(room), { room, connections: [], egresses: [] }]),
  );
  for (const connection of connections) byRoom.get(roomKey(connection))?.connections.push(connection);
  for (const egress of egresses) byRoom.get(roomKey(egress))?.egresses.push(egress);
  return [...byRoom.values()];
}

function connectionRow(fact: ConnectionFact): ConnectionEntity {
  const attributes = fact.attributes?.value ?? {};
  return {
    ...fact,
    phoneNumber: indexed(attributes['sip.phoneNumber']),
    trunkPhoneNumber: indexed(attributes['sip.trunkPhoneNumber']),
  };
}

/** The longest number that sessions are found by, in characters. */
const LONGEST_NUMBER = 255;

// A participant may set its attributes itself, to more than PostgreSQL can index.
const indexed = (number = ''): string | null => cut(number, LONGEST_NUMBER) || null;

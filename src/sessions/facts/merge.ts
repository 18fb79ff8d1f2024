import type { ConnectionFact, Departure, RoomFact, RoomFinish, Versioned } from './facts.js';

/**
 * What two facts of a room make together. Like `mergeConnection` it is commutative, associative and idempotent: facts may
 * come in any order, and again, and the outcome is the same.
 */
export const mergeRoom = (a: RoomFact, b: RoomFact): RoomFact => ({
  source: a.source,
  roomSid: a.roomSid,
  roomName: least(a.roomName, b.roomName),
  openedAt: least(a.openedAt, b.openedAt),
  starts: union(a.starts, b.starts, String).sort((x, y) => x - y),
  finishes: union(a.finishes, b.finishes, finishKey).sort(byTimeThenReason),
  description: first(a.description, b.description),
  seenAt: Math.min(a.seenAt, b.seenAt),
});

/** What two facts of a connection make together. */
export const mergeConnection = (a: ConnectionFact, b: ConnectionFact): ConnectionFact => ({
  source: a.source,
  roomSid: a.roomSid,
  participantSid: a.participantSid,
  identity: least(a.identity, b.identity),
  kind: least(a.kind, b.kind),
  connected: a.connected || b.connected,
  joinedAt: least(a.joinedAt, b.joinedAt),
  leave: first(a.leave, b.leave),
  abort: first(a.abort, b.abort),
  name: lastWritten(a.name, b.name),
  attributes: lastWritten(a.attributes, b.attributes),
});

const finishKey = ({ at, endReason }: RoomFinish): string => `${at} ${endReason ?? ''}`;

const byTimeThenReason = (a: RoomFinish, b: RoomFinish): number =>
  a.at - b.at || (finishKey(a) < finishKey(b) ? -1 : 1);

/** Both lists without repeats. */
const union = <T>(a: readonly T[], b: readonly T[], key: (item: T) => string): T[] => [
  ...new Map([...a, ...b].map((item) => [key(item), item])).values(),
];

/** The lesser of two values where both are known, else the known one. For what never changes, that is what it is. */
function least<T extends number | string>(a: T | null, b: T | null): T | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

/** The earlier of two by (time, event id). */
function first<T extends Pick<Departure, 'at' | 'eventId'>>(a: T | null, b: T | null): T | null {
  if (a === null || b === null) return a ?? b;
  return a.at < b.at || (a.at === b.at && a.eventId <= b.eventId) ? a : b;
}

/** The later of two by (version, event id). */
function lastWritten<T>(a: Versioned<T> | null, b: Versioned<T> | null): Versioned<T> | null {
  if (a === null || b === null) return a ?? b;
  return a.version > b.version || (a.version === b.version && a.eventId >= b.eventId) ? a : b;
}

import { isPseudonym } from '../../event-log/retention/pseudonym.js';
import { anonymous, nameless } from './erase.js';
import type {
  ConnectionFact,
  Departure,
  EgressFact,
  EgressReport,
  RoomFact,
  RoomFinish,
  Versioned,
} from './facts.js';

/**
 * Merges two facts of a room. Like `mergeConnection`, it is commutative, associative and idempotent: facts may arrive in any
 * order, and again, and the result is the same. What was erased stays erased, whatever arrives later.
 */
export function mergeRoom(a: RoomFact, b: RoomFact): RoomFact {
  const merged: RoomFact = {
    source: a.source,
    roomSid: a.roomSid,
    roomName: least(a.roomName, b.roomName),
    openedAt: least(a.openedAt, b.openedAt),
    starts: union(a.starts, b.starts, String).sort((x, y) => x - y),
    listedAt: greatest(a.listedAt, b.listedAt),
    finishes: union(a.finishes, b.finishes, finishKey).sort(byTimeThenReason),
    description: first(a.description, b.description),
    seenAt: Math.min(a.seenAt, b.seenAt),
  };
  const pseudonym = pseudonymOf(a.roomName, b.roomName);
  return pseudonym === null ? merged : nameless(merged, pseudonym);
}

/** Merges two facts of a connection. */
export function mergeConnection(a: ConnectionFact, b: ConnectionFact): ConnectionFact {
  const merged: ConnectionFact = {
    source: a.source,
    roomSid: a.roomSid,
    participantSid: a.participantSid,
    identity: least(a.identity, b.identity),
    kind: least(a.kind, b.kind),
    connected: a.connected || b.connected,
    seenAt: least(a.seenAt, b.seenAt),
    lastSeenAt: greatest(a.lastSeenAt, b.lastSeenAt),
    joinedAt: least(a.joinedAt, b.joinedAt),
    leave: departure(a.leave, b.leave),
    abort: departure(a.abort, b.abort),
    name: lastWritten(a.name, b.name),
    attributes: lastWritten(a.attributes, b.attributes),
  };
  const pseudonym = pseudonymOf(a.identity, b.identity);
  return pseudonym === null ? merged : anonymous(merged, pseudonym);
}

/** Merges two facts of an egress. */
export const mergeEgress = (a: EgressFact, b: EgressFact): EgressFact => ({
  source: a.source,
  egressId: a.egressId,
  roomSid: a.roomSid < b.roomSid ? a.roomSid : b.roomSid,
  seenAt: Math.min(a.seenAt, b.seenAt),
  startedAt: least(a.startedAt, b.startedAt),
  report: furthest(a.report, b.report),
});

const pseudonymOf = (a: string | null, b: string | null): string | null =>
  least(isPseudonym(a) ? a : null, isPseudonym(b) ? b : null);

const finishKey = ({ at, endReason, inferred }: RoomFinish): string =>
  `${at} ${endReason ?? ''} ${inferred ?? ''}`;

// A session takes the first of a moment: one with a reason, if there is one.
const byTimeThenReason = (a: RoomFinish, b: RoomFinish): number =>
  a.at - b.at ||
  Number(a.endReason === null) - Number(b.endReason === null) ||
  (finishKey(a) < finishKey(b) ? -1 : 1);

/** Both lists without duplicates. */
const union = <T>(a: readonly T[], b: readonly T[], key: (item: T) => string): T[] => [
  ...new Map([...a, ...b].map((item) => [key(item), item])).values(),
];

/** The lesser of two values where both are known, else the known one. For what never changes, that is its value. */
function least<T extends number | string>(a: T | null, b: T | null): T | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

/** The greater of two values where both are known, else the known one. */
function greatest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

/** The earlier of two by (time, event id). */
function first<T extends Pick<Departure, 'at' | 'eventId'>>(a: T | null, b: T | null): T | null {
  if (a === null || b === null) return a ?? b;
  return a.at < b.at || (a.at === b.at && a.eventId <= b.eventId) ? a : b;
}

/**
 * A reported leave beats an inferred one. Of two reported ones, the earlier wins; of two inferred ones, the later: had the first
 * not been refuted, nobody would have looked for another.
 */
function departure(a: Departure | null, b: Departure | null): Departure | null {
  if (a === null || b === null) return a ?? b;
  if (a.inferred !== b.inferred) return a.inferred ? b : a;
  const earlier = first(a, b);
  return a.inferred ? (earlier === a ? b : a) : earlier;
}

/** The report with more progress; of two with the same, a webhook's, then the later one. */
function furthest(a: EgressReport, b: EgressReport): EgressReport {
  const order =
    a.progress - b.progress ||
    Number(b.reconciled ?? false) - Number(a.reconciled ?? false) ||
    a.updatedAt - b.updatedAt ||
    (a.eventId < b.eventId ? -1 : 1);
  return order > 0 ? a : b;
}

/** The later of two by (version, event id). */
function lastWritten<T>(a: Versioned<T> | null, b: Versioned<T> | null): Versioned<T> | null {
  if (a === null || b === null) return a ?? b;
  return a.version > b.version || (a.version === b.version && a.eventId >= b.eventId) ? a : b;
}

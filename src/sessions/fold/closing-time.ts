import type { RoomFact } from '../facts/facts.js';
import type { FoldedConnection, FoldedParticipant } from './participants.js';
import { greatest, holdsRoomOpen } from './presence.js';
import { lastToldOf, type Segment } from './segments.js';

/** How long LiveKit keeps an empty room open unless the room says otherwise, seconds (`livekit/livekit pkg/config`). */
const DEPARTURE_TIMEOUT = 20;
const EMPTY_TIMEOUT = 300;

/** Why whoever was in a room that LiveKit closed has left it. */
const CLOSED = new Set(['ROOM_CLOSED', 'ROOM_DELETED']);

type Visit = Pick<FoldedConnection, 'kind' | 'leftAt' | 'reason'>;

/**
 * When LiveKit closes a room that holds nobody any more; `null` while it is held open, and when it has ended.
 *
 * LiveKit counts from the last departure, whoever it was, once somebody has come, or tried to, who holds a room open; until then
 * from its start (`livekit/livekit` `CloseIfEmpty`).
 */
export function closingTime(
  room: RoomFact,
  segment: Segment,
  { beganAt, participants }: { beganAt: number; participants: readonly FoldedParticipant[] },
): number | null {
  if (segment.finish !== null) return null;
  const lastToldAt = lastToldOf(room, segment.connections);
  const visits = [...participants.flatMap(({ connections }) => connections), ...attemptsIn(segment)];
  const closedAt = greatest(
    visits.flatMap(({ leftAt, reason }) => (leftAt !== null && CLOSED.has(reason ?? '') ? [leftAt] : [])),
  );
  // Whoever is in it still, as far as is told, has left with the others.
  if (closedAt !== null && closedAt >= lastToldAt) return closedAt;
  const holders = visits.filter(({ kind }) => holdsRoomOpen(kind));
  if (holders.some(({ leftAt }) => leftAt === null)) return null;
  const timeout = (field: string, otherwise: number): number => {
    const told = (room.description?.room as Record<string, unknown> | undefined)?.[field];
    return (typeof told === 'number' ? told : otherwise) * 1_000;
  };
  const departure = timeout('departureTimeout', DEPARTURE_TIMEOUT);
  const lastLeft = greatest(visits.flatMap(({ leftAt }) => leftAt ?? []));
  const closes =
    lastLeft === null || holders.length === 0
      ? beganAt + Math.max(departure, timeout('emptyTimeout', EMPTY_TIMEOUT))
      : lastLeft + departure;
  return Math.max(closes, lastToldAt);
}

const attemptsIn = ({ connections }: Segment): Visit[] =>
  connections.flatMap(({ connected, kind, abort }) =>
    connected || abort === null ? [] : [{ kind, leftAt: abort.at, reason: abort.reason }],
  );

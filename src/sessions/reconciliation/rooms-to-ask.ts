import type { ToldRoom } from './told.js';

/** Rooms whose participants LiveKit is asked for in one round, at most. */
export const ROOMS_IN_A_ROUND = 100;

/** Of these, how many are for rooms that nothing speaks for, so that each has its turn. */
const TURNS = ROOMS_IN_A_ROUND / 4;

/** What the rooms to ask are chosen by. */
export interface AskedBefore {
  /** Who holds a room open for all we know, by the room's sid; a room that is not here is none we know to go on. */
  present: ReadonlyMap<string, number>;
  /** When each room was asked for last, since the start or the last gap. */
  askedAt: ReadonlyMap<string, number>;
  /** Rooms of which something was missing. */
  suspected: ReadonlySet<string>;
  /** Whether all are to be asked once before any is asked again. */
  isCatchingUp: boolean;
}

/**
 * Chooses the rooms to ask for: those never heard of, those that miss something, those where LiveKit's count is not
 * ours, and then whoever was asked longest ago.
 */
export function roomsToAsk(
  listed: readonly ToldRoom[],
  { present, askedAt, suspected, isCatchingUp }: AskedBefore,
): ToldRoom[] {
  const urgency = ({ sid, numParticipants }: ToldRoom): number => {
    const ours = present.get(sid);
    if (ours === undefined) return 3;
    if (suspected.has(sid)) return 2;
    return ours === numParticipants ? 0 : 1;
  };
  const last = ({ sid }: ToldRoom): number => askedAt.get(sid) ?? -Infinity;
  const byTurn = listed.toSorted((a, b) => compare(last(a), last(b)));
  if (listed.length <= ROOMS_IN_A_ROUND) return byTurn;
  const isFirst = (room: ToldRoom): number => Number(isCatchingUp && !askedAt.has(room.sid));
  const byUrgency = byTurn.toSorted((a, b) => isFirst(b) - isFirst(a) || urgency(b) - urgency(a));
  const urgent = byUrgency.slice(0, ROOMS_IN_A_ROUND - (isCatchingUp ? 0 : TURNS));
  return [...new Set([...urgent, ...byTurn])].slice(0, ROOMS_IN_A_ROUND);
}

const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

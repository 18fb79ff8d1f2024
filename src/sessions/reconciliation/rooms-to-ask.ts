import type { ToldRoom } from './told.js';

/** Rooms whose participants LiveKit is asked for in one round, at most. */
export const ROOMS_IN_A_ROUND = 100;

/** How many of these are for rooms that nothing singles out, so that each gets its turn. */
const TURNS = ROOMS_IN_A_ROUND / 4;

/** What decides which rooms to ask about. */
export interface AskedBefore {
  /** How many connections hold a room open as far as we know, by its sid; a room not in here is not known to be active. */
  present: ReadonlyMap<string, number>;
  /** When each room was last asked about, since the start or the last gap. */
  askedAt: ReadonlyMap<string, number>;
  /** Rooms where something was missing. */
  suspected: ReadonlySet<string>;
  /** Whether all are to be asked about once before any is asked about again. */
  isCatchingUp: boolean;
}

/**
 * Chooses the rooms to ask about: those not known to be active, those where something was missing, those where LiveKit's count
 * is not ours, and then those asked about longest ago.
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

import { type Attendances, listedIn } from './attendance.js';
import type { Suspects } from './missing-facts.js';

/** What a reconciler remembers of its rounds. It is never changed: what happens in a round makes another of it. */
export interface Memory {
  /** The rooms that LiveKit listed last, by their sids. */
  listed: ReadonlySet<string>;
  /** When each of them was last asked about, since the start or the last gap. */
  askedAt: ReadonlyMap<string, number>;
  /** What each room missed when it was last examined; a room that missed nothing is not in here. */
  suspects: ReadonlyMap<string, Suspects>;
  /** Lost egresses that have not been reported yet: a round that fails reports none. */
  lostEgresses: readonly string[];
}

/** What is remembered at the start. */
export const NO_MEMORY: Memory = {
  listed: new Set(),
  askedAt: new Map(),
  suspects: new Map(),
  lostEgresses: [],
};

/** Whether any rooms have not been asked about since the start, or since the last gap. */
export const isCatchingUp = ({ listed, askedAt }: Memory): boolean =>
  [...listed].some((sid) => !askedAt.has(sid));

/** After a gap: every room is to be asked about anew. */
export const afterGap = (memory: Memory): Memory => ({ ...memory, askedAt: new Map() });

/** After LiveKit has listed its rooms: none of these is missing. */
export function afterListing(memory: Memory, sids: Iterable<string>): Memory {
  const listed = new Set(sids);
  return {
    ...memory,
    listed,
    suspects: without(memory.suspects, () => listed),
  };
}

/** After LiveKit was asked who is in some rooms: whoever it listed is not missing, even if the room can't be examined now. */
export const afterAsking = (memory: Memory, { byRoom, failedAt }: Attendances): Memory => ({
  ...memory,
  // Those rooms have had their turn, even if the round fails.
  askedAt: new Map([...memory.askedAt, ...failedAt]),
  suspects: without(memory.suspects, (roomSid) => listedIn(byRoom.get(roomSid))),
});

/** After egresses were found lost: LiveKit is not asked for them again, and so they wait here for the end of a round. */
export const afterLosses = (memory: Memory, egressIds: readonly string[]): Memory => ({
  ...memory,
  lostEgresses: [...memory.lostEgresses, ...egressIds],
});

/** How a round went that has come to its end. */
export interface Examination {
  /** Who is in each room that LiveKit was asked about, and when it was asked. */
  attendances: Attendances['byRoom'];
  /** The rooms that were not as we know them, by their sids. */
  unlike: ReadonlySet<string>;
  /** What these miss; a room that is absent here could not be examined now. */
  suspects: ReadonlyMap<string, Suspects>;
}

/** After a round, which has reported the lost egresses. */
export function afterRound(memory: Memory, { attendances, unlike, suspects }: Examination): Memory {
  const { listed } = memory;
  // A room that was asked about, or is gone, and left nothing to examine misses nothing any more.
  const isAsKnown = (sid: string) => !unlike.has(sid) && (attendances.has(sid) || !listed.has(sid));
  const stillSuspected = [...memory.suspects].filter(([sid]) => !isAsKnown(sid));
  const answeredAt = [...attendances].map(([sid, { at }]) => [sid, at] as const);
  return {
    listed,
    askedAt: only(new Map([...memory.askedAt, ...answeredAt]), (sid) => listed.has(sid)),
    suspects: only(new Map([...stillSuspected, ...suspects]), (_, missing) => missing.size > 0),
    lostEgresses: [],
  };
}

/** @param listed what LiveKit has listed, by the sid of the room that may have missed it. */
function without(
  suspects: Memory['suspects'],
  listed: (roomSid: string) => ReadonlySet<string>,
): Memory['suspects'] {
  const left = [...suspects].map(([roomSid, missing]) => {
    const there = listed(roomSid);
    return [roomSid, only(missing, (sid) => !there.has(sid))] as const;
  });
  return only(new Map(left), (_, missing) => missing.size > 0);
}

const only = <V>(map: ReadonlyMap<string, V>, isKept: (sid: string, value: V) => boolean): Map<string, V> =>
  new Map([...map].filter(([sid, value]) => isKept(sid, value)));

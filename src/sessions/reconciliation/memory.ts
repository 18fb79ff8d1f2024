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

/** After LiveKit has listed its rooms. */
export const afterListing = (memory: Memory, sids: Iterable<string>): Memory => ({
  ...memory,
  listed: new Set(sids),
});

/** After calls about rooms have failed, each at its time: those rooms have had their turn, even if the round fails. */
export const afterFailedCalls = (memory: Memory, failedAt: ReadonlyMap<string, number>): Memory => ({
  ...memory,
  askedAt: new Map([...memory.askedAt, ...failedAt]),
});

/** After egresses were found lost: LiveKit is not asked for them again, and so they wait here for the end of a round. */
export const afterLosses = (memory: Memory, egressIds: readonly string[]): Memory => ({
  ...memory,
  lostEgresses: [...memory.lostEgresses, ...egressIds],
});

/** How a round went that has come to its end. */
export interface Examination {
  /** When LiveKit was asked about each room of which it said who is there. */
  attendances: ReadonlyMap<string, { at: number }>;
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

const only = <V>(map: ReadonlyMap<string, V>, isKept: (sid: string, value: V) => boolean): Map<string, V> =>
  new Map([...map].filter(([sid, value]) => isKept(sid, value)));

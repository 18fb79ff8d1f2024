import type {
  ConnectionFact,
  Departure,
  EgressFact,
  RoomFact,
  RoomFacts,
  RoomFinish,
} from '../facts/facts.js';

/** How long after a room's end a join or a start must lie to begin a new session, milliseconds. */
export const REOPENED_AFTER = 1_000;

/** A stretch of a room's life that is a session of its own. */
export interface Segment {
  /** The join or start that began it; `null` for the first, which began with the room. */
  openedAt: number | null;
  finish: RoomFinish | null;
  connections: ConnectionFact[];
  egresses: EgressFact[];
}

/**
 * Divides a room's life into sessions. LiveKit may reopen a finished room under the same sid (`livekit/livekit#4726`): a new
 * segment begins only when a join or a `room_started` lies 1 s or more after the `room_finished` before it; another finish with
 * none of these in between is the same end, reported again, unless somebody was there after the first: then the room was
 * reopened within that second.
 */
export function segmentsOf({ room, connections, egresses }: RoomFacts): Segment[] {
  const openings = [...room.starts, ...connections.flatMap(({ joinedAt }) => joinedAt ?? [])].sort(
    (a, b) => a - b,
  );
  const told = room.finishes.filter(({ inferred }) => !inferred);
  const segments: Segment[] = [];
  let openedAt: number | null = null;
  do {
    const since: number = openedAt === null ? -Infinity : wholeSecond(openedAt);
    const finish: RoomFinish | null = told.find(({ at }) => at >= since) ?? null;
    segments.push({ openedAt, finish, connections: [], egresses: [] });
    openedAt = finish && (openings.find((at) => at >= finish.at + REOPENED_AFTER) ?? null);
  } while (openedAt !== null);
  for (const connection of connections) {
    const { joinedAt, leave, abort, seenAt } = connection;
    const at = joinedAt ?? leave?.at ?? abort?.at ?? seenAt;
    segmentAt(at, segments).connections.push(connection);
  }
  for (const [nth, segment] of segments.entries()) {
    const next = segments[nth + 1]?.openedAt ?? Infinity;
    segment.finish = outlasting(
      segment,
      told.filter(({ at }) => at + REOPENED_AFTER <= next),
    );
  }
  for (const egress of egresses) {
    segmentAt(egress.startedAt ?? egress.seenAt, segments).egresses.push(egress);
  }
  const last = segments.at(-1) as Segment;
  last.finish ??= goneBy(room, last);
  return segments;
}

/** The first end, from the segment's own on, that no news of its connections outlasts; else the last one. */
function outlasting({ finish, connections }: Segment, ends: readonly RoomFinish[]): RoomFinish | null {
  if (finish === null) return null;
  const told = lastToldOf({ starts: [], listedAt: null }, connections);
  const since = Math.max(finish.at, told - REOPENED_AFTER); // a leave may be reported in the second after the end
  return ends.find(({ at }) => at >= since) ?? ends.at(-1) ?? finish;
}

// A finish is reported in whole seconds, and may seem to come before the join that opened its segment.
const wholeSecond = (time: number): number => time - (time % 1_000);

// What comes too late for the end of one belongs to the next; what has no known time belongs to the first.
const segmentAt = (at: number | null, segments: readonly Segment[]): Segment =>
  segments.find(({ finish }) => finish === null || (at ?? -Infinity) < finish.at + REOPENED_AFTER) ??
  (segments.at(-1) as Segment);

/** The end that LiveKit reported when asked: it holds until something is reported of the room that happened later. */
function goneBy(room: RoomFact, { connections }: Segment): RoomFinish | null {
  const since = lastToldOf(room, connections);
  return room.finishes.find(({ inferred, at }) => inferred === 'gone' && at >= since) ?? null;
}

/** The last moment at which a room is reported to have been there, going by its connections, too. */
export function lastToldOf(
  { starts, listedAt }: Pick<RoomFact, 'starts' | 'listedAt'>,
  connections: readonly ConnectionFact[],
): number {
  const told = connections.flatMap(({ joinedAt, lastSeenAt, leave, abort }) =>
    [joinedAt, lastSeenAt, toldAt(leave), toldAt(abort)].filter((at) => at !== null),
  );
  return [...starts, ...told].reduce((a, b) => Math.max(a, b), listedAt ?? -Infinity);
}

// A departure that LiveKit did not send has no reason; a `MIGRATION` may not be the end, but the room was there.
const toldAt = (departure: Departure | null): number | null =>
  departure === null || (departure.inferred && departure.reason === null) ? null : departure.at;

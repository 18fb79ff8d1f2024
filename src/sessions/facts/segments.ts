import type { ConnectionFact, RoomFact, RoomFinish } from './facts.js';

/** How long after a room's end a join or a start must lie to begin a new session, milliseconds. */
const REOPENED_AFTER = 1_000;

/** A stretch of a room's life that is a session of its own. */
export interface Segment {
  /** The join or start that began it; `null` for the first, which began with the room. */
  openedAt: number | null;
  finish: RoomFinish | null;
  connections: ConnectionFact[];
}

/**
 * Divides a room's life into sessions. LiveKit may open a room again under the sid of one that has finished
 * (`livekit/livekit#4726`): a new segment begins only when a join or a `room_started` lies 1 s or more after
 * the `room_finished` before it; a finish that nothing lies between is the same end told again.
 */
export function segmentsOf(room: RoomFact, connections: readonly ConnectionFact[]): Segment[] {
  const openings = [...room.starts, ...connections.flatMap(({ joinedAt }) => joinedAt ?? [])].sort(
    (a, b) => a - b,
  );
  const segments: Segment[] = [];
  let openedAt: number | null = null;
  do {
    const since: number = openedAt === null ? -Infinity : wholeSecond(openedAt);
    const finish: RoomFinish | null = room.finishes.find(({ at }) => at >= since) ?? null;
    segments.push({ openedAt, finish, connections: [] });
    openedAt = finish && (openings.find((at) => at >= finish.at + REOPENED_AFTER) ?? null);
  } while (openedAt !== null);
  for (const connection of connections) segmentOf(connection, segments).connections.push(connection);
  return segments;
}

// A finish is told in whole seconds, and may seem to come before the join that opened its segment.
const wholeSecond = (time: number): number => time - (time % 1_000);

// The last one that had begun; a connection of which no time is known is taken for one of the first.
function segmentOf({ joinedAt, leave, abort }: ConnectionFact, segments: readonly Segment[]): Segment {
  const at = joinedAt ?? leave?.at ?? abort?.at ?? -Infinity;
  return segments.findLast(({ openedAt }) => openedAt === null || openedAt <= at) as Segment;
}

import { type Ask, isNotFound, LivekitCallError, someAtATime } from './asking.js';
import type { KnownPresence } from './known-rooms.js';
import type { LivekitClient } from './livekit-clients.js';
import { type ToldParticipant, toldParticipant, type ToldRoom } from './told.js';

/** Calls at once. */
const CALLS = 4;

/** How long a round goes on asking, milliseconds: what is left waits for the next one. */
const PATIENCE = 10_000;

/** Failed calls after which a round stops asking. */
const FAILURES = 4;

/** What LiveKit said about the participants of a room. */
export interface Attendance {
  /** When it was asked, UTC milliseconds. */
  at: number;
  participants: ToldParticipant[];
}

/** What LiveKit said about the participants of some rooms. */
export interface Attendances {
  byRoom: ReadonlyMap<string, Attendance>;
  /** When it was asked about each room of which it said nothing. */
  failedAt: ReadonlyMap<string, number>;
  /** How many of these calls should not have failed. */
  failures: number;
}

/** Asks who is in some rooms, until enough calls have failed, or it has taken too long. */
export async function askAttendances(
  ask: Ask,
  { rooms: service }: LivekitClient,
  rooms: readonly ToldRoom[],
  now: () => number,
): Promise<Attendances> {
  const byRoom = new Map<string, Attendance>();
  const failedAt = new Map<string, number>();
  let failures = 0;
  const begun = performance.now();
  const isOver = () => failures >= FAILURES || performance.now() - begun > PATIENCE;
  await someAtATime(rooms, CALLS, isOver, async ({ sid, name }) => {
    const at = now();
    try {
      const participants = await ask('RoomService/ListParticipants', () => service.listParticipants(name));
      byRoom.set(sid, { at, participants: participants.map(toldParticipant) });
    } catch (error) {
      if (!(error instanceof LivekitCallError)) throw error;
      if (!isNotFound(error)) failures += 1; // gone meanwhile is no failure: the next round will see
      failedAt.set(sid, at);
    }
  });
  return { byRoom, failedAt, failures };
}

/** The sids of the connections that LiveKit listed in a room. */
export const listedIn = (attendance: Attendance | undefined): ReadonlySet<string> =>
  new Set(attendance?.participants.flatMap(({ sid, isGone }) => (isGone ? [] : [sid])));

/** Whether those whom LiveKit lists in a room are those whom we know there, as far as it was asked. */
export function isAsKnown(attendance: Attendance | undefined, present: KnownPresence = new Map()): boolean {
  if (attendance === undefined) return true;
  const { participants } = attendance;
  const listed = listedIn(attendance);
  return (
    participants.every(({ sid, isActive }) => !isActive || present.get(sid) === true) &&
    [...present.keys()].every((sid) => listed.has(sid))
  );
}

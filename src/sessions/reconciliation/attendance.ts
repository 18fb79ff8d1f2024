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
  byRoom: Map<string, Attendance>;
  /** When it was asked about each room of which it said nothing. */
  failedAt: Map<string, number>;
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
  const told: Attendances = { byRoom: new Map(), failedAt: new Map(), failures: 0 };
  const begun = performance.now();
  const isOver = () => told.failures >= FAILURES || performance.now() - begun > PATIENCE;
  await someAtATime(rooms, CALLS, isOver, async ({ sid, name }) => {
    const at = now();
    try {
      const participants = await ask('RoomService/ListParticipants', () => service.listParticipants(name));
      told.byRoom.set(sid, { at, participants: participants.map(toldParticipant) });
    } catch (error) {
      if (!(error instanceof LivekitCallError)) throw error;
      if (!isNotFound(error)) told.failures += 1; // gone meanwhile is no failure: the next round will see
      told.failedAt.set(sid, at);
    }
  });
  return told;
}

/** Whether those whom LiveKit lists in a room are those whom we know there, as far as it was asked. */
export function isAsKnown(attendance: Attendance | undefined, present: KnownPresence = new Map()): boolean {
  if (attendance === undefined) return true;
  const { participants } = attendance;
  const listed = new Set(participants.flatMap(({ sid, isGone }) => (isGone ? [] : [sid])));
  return (
    participants.every(({ sid, isActive }) => !isActive || present.get(sid) === true) &&
    [...present.keys()].every((sid) => listed.has(sid))
  );
}

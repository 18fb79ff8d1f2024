import type { ToldEgress, ToldParticipant, ToldRoom } from './told.js';

/** What LiveKit said about a room when asked. */
export interface RoomAnswer {
  project: string;
  roomSid: string;
  /** When it was asked, UTC milliseconds. */
  at: number;
  /** When the rooms were listed: whoever joined since may have joined another room of the same name. */
  listedAt: number;
  /** `null` if it is not listed. */
  room: ToldRoom | null;
  /** `null` if they were not asked for. */
  participants: readonly ToldParticipant[] | null;
  egresses: readonly ToldEgress[];
  /** When another room of the same name, which is listed now, was opened. */
  successorOpenedAt: number | null;
}

/** What happened less than this before LiveKit was asked is left to the webhooks that are on their way, milliseconds. */
const LEFT_TO_WEBHOOKS = 5_000;

/** Whether something happened so shortly before LiveKit was asked that its webhook may be on its way. */
export const isRecent = (time: number | null, at: number): boolean =>
  time !== null && time > at - LEFT_TO_WEBHOOKS;

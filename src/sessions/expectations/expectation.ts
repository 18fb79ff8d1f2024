import type { ExpectationEntity } from '../../database/entities/expectation.entity.js';

/** The states of an expectation: its session has not come yet, has come, or has not come in time. */
export const EXPECTATION_STATES = ['awaiting', 'matched', 'expired'] as const;

/** The state of an expectation. */
export type ExpectationState = (typeof EXPECTATION_STATES)[number];

/** A session that the backend expects, in its public shape. Times are ISO 8601 UTC with milliseconds. */
export interface Expectation {
  sessionId: string;
  project: string;
  /** The name of the room it will be in; `null` stands for the room whose session has this id. */
  roomName: string | null;
  metadata: Record<string, unknown>;
  state: ExpectationState;
  expectedAt: string;
  expiresAt: string;
  /** The room it was matched with. */
  roomSid: string | null;
}

/** A stored expectation in its public shape. */
export const toExpectation = ({ source, expectedAt, expiresAt, ...row }: ExpectationEntity): Expectation => ({
  sessionId: row.sessionId,
  project: source,
  roomName: row.roomName,
  metadata: row.metadata,
  state: row.state,
  expectedAt: new Date(expectedAt).toISOString(),
  expiresAt: new Date(expiresAt).toISOString(),
  roomSid: row.roomSid,
});

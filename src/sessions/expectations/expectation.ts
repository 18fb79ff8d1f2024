import type { ExpectationEntity } from '../../database/entities/expectation.entity.js';

/** Where an expected session is: nobody has come, it has come, or it has not come in time. */
export const EXPECTATION_STATES = ['awaiting', 'matched', 'expired'] as const;

/** Where an expected session is. */
export type ExpectationState = (typeof EXPECTATION_STATES)[number];

/** A session that the backend expects, as it is told. Times are ISO 8601 UTC with milliseconds. */
export interface Expectation {
  sessionId: string;
  project: string;
  /** The room it will be in; `null`: the one whose session id is this one's. */
  roomName: string | null;
  metadata: Record<string, unknown>;
  state: ExpectationState;
  expectedAt: string;
  expiresAt: string;
  /** The room it was matched with. */
  roomSid: string | null;
}

/** A stored expectation in the shape that others are told. */
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

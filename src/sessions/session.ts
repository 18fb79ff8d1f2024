import type { FoldedSipCall } from './facts/participants.js';

/** A connection of a participant: from one join to its leave. Times are ISO 8601 UTC with milliseconds; unknown is `null`. */
export interface SessionConnection {
  participantSid: string;
  joinedAt: string | null;
  leftAt: string | null;
  /** LiveKit's `DisconnectReason` by its name. */
  reason: string | null;
}

/** Somebody in a session, by identity, whatever number of connections it took. */
export interface SessionParticipant {
  identity: string;
  name: string | null;
  /** `standard`, `agent`, `sip`; `egress` and `ingress` are listed and count nowhere. */
  kind: string;
  attributes: Record<string, string>;
  sip: FoldedSipCall | null;
  connections: SessionConnection[];
}

/** Every state a session may be in; this version does not settle any yet. */
export const SESSION_STATES = ['active', 'ended', 'settled'] as const;

/** Where a session is in its life. */
export type SessionState = (typeof SESSION_STATES)[number];

/** A session as `GET /voice/sessions` tells it. Times are ISO 8601 UTC with milliseconds; unknown is `null`. */
export interface Session {
  sessionId: string | null;
  project: string;
  roomName: string | null;
  roomSid: string;
  state: SessionState;
  startedAt: string | null;
  firstJoinedAt: string | null;
  lastLeftAt: string | null;
  endedAt: string | null;
  durationSeconds: number | null;
  participantSeconds: { standard: number; agent: number; sip: number };
  peakParticipants: number;
  disposition: string | null;
  dispositionSource: string | null;
  endReason: string | null;
  metadata: Record<string, unknown>;
  inferred: string[];
  /** How often it has changed. */
  revision: number;
  participants: SessionParticipant[];
  recordings: never[];
}

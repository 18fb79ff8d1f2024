import type { EgressFile, EgressSegments, EgressStream } from './facts/facts.js';
import type { FoldedSipCall } from './fold/participants.js';
import type { CountedKind } from './fold/presence.js';

/** A connection of a participant, from one join to its leave. Times are ISO 8601 UTC with milliseconds, `null` if unknown. */
export interface SessionConnection {
  participantSid: string;
  joinedAt: string | null;
  leftAt: string | null;
  /** The name of LiveKit's `DisconnectReason`. */
  reason: string | null;
  /** Which of its times no webhook reported: it had joined, or left, by then. A leave with `MIGRATION` need not be the end. */
  inferred: ('joinedAt' | 'leftAt')[];
}

/** A participant of a session, by identity, with any number of connections. */
export interface SessionParticipant {
  identity: string;
  name: string | null;
  /** `standard`, `agent`, `sip`; `egress` and `ingress` are listed but not counted; an unknown kind counts as `standard`. */
  kind: string | null;
  attributes: Record<string, string>;
  sip: FoldedSipCall | null;
  connections: SessionConnection[];
}

/** What an egress of a session's room made: a recording, or a stream to somewhere else. */
export interface SessionRecording {
  /** `null` when it failed before it had one. */
  egressId: string | null;
  /** `starting`, `active`, `ending`, then `complete`, `failed`, `aborted` or `limit_reached`. */
  status: string;
  startedAt: string | null;
  endedAt: string | null;
  files: EgressFile[];
  segments: EgressSegments[];
  streams: EgressStream[];
  error: string | null;
}

/** Every state a session may be in. */
export const SESSION_STATES = ['active', 'ended', 'settled'] as const;

/**
 * Where a session is in its life: `active`, then `ended` when its room has closed, then `settled` when the grace period after
 * that is over and every recording has ended.
 */
export type SessionState = (typeof SESSION_STATES)[number];

/** Why a session belongs to nothing that the backend knows: it got no id, or nobody expected it. */
export type UnmatchedCause = 'no_session_id' | 'session_id_failed' | 'not_expected';

/** Where a disposition comes from: `setDisposition` (`host`), the option `disposition` (`option`), or our `rules`. */
export type DispositionSource = 'host' | 'option' | 'rules';

/** A session as `GET /voice/sessions` returns it. Times are ISO 8601 UTC with milliseconds; what is unknown is `null`. */
export interface Session {
  /** `null` until LiveKit has described the room, and when the host gave none. */
  sessionId: string | null;
  project: string;
  roomName: string | null;
  roomSid: string;
  /** Its number among the sessions of this room's sid, from 0: LiveKit may reopen a finished room under the same sid. */
  segment: number;
  state: SessionState;
  startedAt: string | null;
  firstJoinedAt: string | null;
  /** `null` while somebody who counts is connected. */
  lastLeftAt: string | null;
  endedAt: string | null;
  /** From first join to last leave. */
  durationSeconds: number | null;
  /** The total length of all connections that have ended, by kind. */
  participantSeconds: Record<CountedKind, number>;
  peakParticipants: number;
  activeParticipants: number;
  disposition: string | null;
  dispositionSource: DispositionSource | null;
  /** LiveKit's `RoomEndReason`, from servers that send it. */
  endReason: string | null;
  /** What the backend said about it when it expected it. */
  metadata: Record<string, unknown>;
  /** Why it belongs to nothing that the backend knows; else `null`. */
  unmatched: UnmatchedCause | null;
  /** The fields that no webhook reported, and those derived from them: their values are bounds. */
  inferred: string[];
  /** How often it has changed. */
  revision: number;
  participants: SessionParticipant[];
  recordings: SessionRecording[];
}

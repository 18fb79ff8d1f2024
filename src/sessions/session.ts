import type { EgressFile, EgressSegments, EgressStream } from './facts/facts.js';
import type { FoldedSipCall } from './fold/participants.js';
import type { CountedKind } from './fold/presence.js';

/** A connection of a participant: from one join to its leave. Times are ISO 8601 UTC with milliseconds; unknown is `null`. */
export interface SessionConnection {
  participantSid: string;
  joinedAt: string | null;
  leftAt: string | null;
  /** LiveKit's `DisconnectReason` by its name. */
  reason: string | null;
  /** Which of its times no webhook told: it joined by then, it was gone by then. A leave with `MIGRATION` need be no end. */
  inferred: ('joinedAt' | 'leftAt')[];
}

/** Somebody in a session, by identity, whatever number of connections it took. */
export interface SessionParticipant {
  identity: string;
  name: string | null;
  /** `standard`, `agent`, `sip`; `egress` and `ingress` are listed and count nowhere; who is not known counts as `standard`. */
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
 * Where a session is in its life: `active`, then `ended` when its room has closed, then `settled` when the grace after that
 * is over and every recording has ended.
 */
export type SessionState = (typeof SESSION_STATES)[number];

/** Why a session belongs to nothing that the backend knows: its id is not to be had, or nobody has expected it. */
export type UnmatchedCause = 'no_session_id' | 'session_id_failed' | 'not_expected';

/** Whose word a disposition is: `host`: `setDisposition`; `option`: the option `disposition`; `rules`: ours. */
export type DispositionSource = 'host' | 'option' | 'rules';

/** A session as `GET /voice/sessions` tells it. Times are ISO 8601 UTC with milliseconds; unknown is `null`. */
export interface Session {
  /** `null` until LiveKit has told the room, and when the host gave none. */
  sessionId: string | null;
  project: string;
  roomName: string | null;
  roomSid: string;
  /** Which of the sessions of this room's sid, from 0: LiveKit may open a room again under the sid of one that had finished. */
  segment: number;
  state: SessionState;
  startedAt: string | null;
  firstJoinedAt: string | null;
  /** `null` while somebody that counts is connected. */
  lastLeftAt: string | null;
  endedAt: string | null;
  /** From first join to last leave. */
  durationSeconds: number | null;
  /** The sum of all connections that have ended, by kind. */
  participantSeconds: Record<CountedKind, number>;
  peakParticipants: number;
  activeParticipants: number;
  disposition: string | null;
  dispositionSource: DispositionSource | null;
  /** LiveKit's `RoomEndReason`, from servers that tell it. */
  endReason: string | null;
  /** What the backend said of it when it expected it. */
  metadata: Record<string, unknown>;
  /** Why it belongs to nothing that the backend knows; `null` when it does. */
  unmatched: UnmatchedCause | null;
  /** The fields that no webhook told, or that follow from such: their values are bounds. */
  inferred: string[];
  /** How often it has changed. */
  revision: number;
  participants: SessionParticipant[];
  recordings: SessionRecording[];
}

/** A room object as LiveKit sends it (protojson), without its TURN password. */
export type RoomDescription = object;

/**
 * What is known of a room. Every field merges on its own, in any order: see `merge.ts`. Times are UTC milliseconds,
 * `null` if unknown.
 */
export interface RoomFact {
  source: string;
  roomSid: string;
  roomName: string | null;
  /** When LiveKit created it (`creationTimeMs`). */
  openedAt: number | null;
  /** Each time a `room_started` was sent: a start may be reported again, or the room be reopened. */
  starts: number[];
  /** The last time that LiveKit listed it although it was taken for ended: it had not ended by then. */
  listedAt: number | null;
  /** Each time it ended, and why. */
  finishes: RoomFinish[];
  /** The full room object that is earliest by (time, event id). */
  description: { at: number; eventId: string; room: RoomDescription } | null;
  /** The earliest event that named it, so that a session always has a time to be listed by. */
  seenAt: number;
}

/** One end of a room: a `room_finished`. */
export interface RoomFinish {
  at: number;
  /** LiveKit's `RoomEndReason`, from servers that send it. */
  endReason: string | null;
  /**
   * No webhook reported it, and `at` is the moment by which the room was gone: LiveKit no longer knew it (`gone`), or must have
   * closed it, since nobody was in it (`empty`).
   */
  inferred?: 'gone' | 'empty';
}

/** What is known of one connection of a participant: LiveKit gives each a sid of its own. */
export interface ConnectionFact {
  source: string;
  roomSid: string;
  participantSid: string;
  identity: string | null;
  /** `standard`, `agent`, `sip`, `egress`, `ingress`, …: LiveKit's `ParticipantInfo.Kind` in lower case. */
  kind: string | null;
  /** Whether it was ever connected: an aborted attempt was not. */
  connected: boolean;
  /** The earliest event that shows it connected: it had joined by then. `null` if none does. */
  seenAt: number | null;
  /** The latest event that shows it connected. */
  lastSeenAt: number | null;
  joinedAt: number | null;
  leave: Departure | null;
  /** An attempt that never became a connection (`participant_connection_aborted`, or a leave with `JOIN_FAILURE`). */
  abort: Departure | null;
  name: Versioned<string> | null;
  /** `SIP_FIELDS` and the attributes that the host allows. */
  attributes: Versioned<Record<string, string>> | null;
}

/** When and why a connection ended. */
export interface Departure {
  at: number;
  /** The name of LiveKit's `DisconnectReason`; `null` if nobody reported it. */
  reason: string | null;
  eventId: string;
  /** No webhook reported it, and `at` is the moment by which it was gone; or the reason is `MIGRATION`, which need not be the end. */
  inferred?: true;
}

/** A value that changes while a participant is connected: the last writer wins, by (version, event id). */
export interface Versioned<T> {
  value: T;
  /** LiveKit's `ParticipantInfo.version`. */
  version: number;
  eventId: string;
}

/** What is known of an egress: a recording, or a stream to somewhere else. */
export interface EgressFact {
  source: string;
  /** LiveKit's egress id; `event:<event id>` for one that failed before it had any. */
  egressId: string;
  roomSid: string;
  /** The earliest event that named it. */
  seenAt: number;
  startedAt: number | null;
  /** The report that shows the most progress. */
  report: EgressReport;
}

/** What one event says about an egress. */
export interface EgressReport {
  /** How far it had come: 0 starting, 1 active, 2 ending, 3 ended. */
  progress: number;
  /** LiveKit's `updatedAt`, microseconds. */
  updatedAt: number;
  eventId: string;
  /** LiveKit reported it when asked: a webhook takes precedence. */
  reconciled?: true;
  /** LiveKit's `EgressStatus` in lower case, without `EGRESS_`. */
  status: string;
  endedAt: number | null;
  error: string | null;
  files: EgressFile[];
  segments: EgressSegments[];
  streams: EgressStream[];
}

/** A file that an egress wrote. */
export interface EgressFile {
  filename: string | null;
  location: string | null;
  durationSeconds: number | null;
  sizeBytes: number | null;
}

/** A playlist of segments that an egress wrote. */
export interface EgressSegments {
  playlist: string | null;
  location: string | null;
  durationSeconds: number | null;
  sizeBytes: number | null;
  count: number | null;
}

/** A stream that an egress sent. */
export interface EgressStream {
  /** Where to, without path and credentials: they hold the stream's key. */
  destination: string | null;
  /** `active`, `finished` or `failed`. */
  status: string;
  durationSeconds: number | null;
  error: string | null;
}

/** All facts in some events. */
export interface Facts {
  rooms: RoomFact[];
  connections: ConnectionFact[];
  egresses: EgressFact[];
}

/** All that is known of one room. */
export interface RoomFacts {
  room: RoomFact;
  connections: ConnectionFact[];
  egresses: EgressFact[];
}

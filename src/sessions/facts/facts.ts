/** A room object as LiveKit tells it (protojson), without its TURN password. */
export type RoomDescription = object;

/**
 * What is known of a room. Every field merges on its own, in any order: see `merge.ts`. Times are UTC milliseconds,
 * `null` is not known.
 */
export interface RoomFact {
  source: string;
  roomSid: string;
  roomName: string | null;
  /** When LiveKit made it (`creationTimeMs`). */
  openedAt: number | null;
  /** Each time a `room_started` was sent: the same room may be told again, or be opened again. */
  starts: number[];
  /** Each time a `room_finished` was sent, and why. */
  finishes: RoomFinish[];
  /** The full room object that is earliest by (time, event id). */
  description: { at: number; eventId: string; room: RoomDescription } | null;
  /** The earliest event that named it: a session always has a time to be listed by. */
  seenAt: number;
}

/** One end of a room. */
export interface RoomFinish {
  at: number;
  /** LiveKit's `RoomEndReason`, from servers that tell it. */
  endReason: string | null;
}

/** What is known of one connection of a participant: LiveKit gives each a sid of its own. */
export interface ConnectionFact {
  source: string;
  roomSid: string;
  participantSid: string;
  identity: string | null;
  /** `standard`, `agent`, `sip`, `egress`, `ingress`, …: LiveKit's `ParticipantInfo.Kind` in lower case. */
  kind: string | null;
  /** Whether it was ever connected: an aborted attempt is not. */
  connected: boolean;
  joinedAt: number | null;
  leave: Departure | null;
  /** An attempt that never became a connection (`participant_connection_aborted`). */
  abort: Departure | null;
  name: Versioned<string> | null;
  /** `sip.*` and the attributes that the host allows. */
  attributes: Versioned<Record<string, string>> | null;
}

/** When and why a connection ended. */
export interface Departure {
  at: number;
  /** LiveKit's `DisconnectReason` by its name. */
  reason: string;
  eventId: string;
}

/** A value that changes while a participant is connected: the last writer wins, by (version, event id). */
export interface Versioned<T> {
  value: T;
  /** LiveKit's `ParticipantInfo.version`. */
  version: number;
  eventId: string;
}

/** Everything that one event says. */
export interface Facts {
  rooms: RoomFact[];
  connections: ConnectionFact[];
}

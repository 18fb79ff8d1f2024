import type { EgressInfo, ParticipantInfo, Room } from 'livekit-server-sdk';
import { plainText } from '../../database/plain-text.js';
import { ENDED } from '../facts/egress.js';
import { object, type Json } from '../facts/protojson.js';

/** A room that LiveKit lists. Times are UTC milliseconds, `null` if not sent. */
export interface ToldRoom {
  sid: string;
  name: string;
  openedAt: number | null;
  /** LiveKit's own count, without agents and recorders; it may be seconds old (`livekit/livekit#4265`). */
  numParticipants: number;
  /** As a webhook would have it (protojson), without its TURN password. */
  readonly json: Json;
}

/** A participant that LiveKit lists. */
export interface ToldParticipant {
  sid: string;
  identity: string;
  /** Whether it is connected, and not just about to be. */
  isActive: boolean;
  /** Whether it has gone, though it is listed. */
  isGone: boolean;
  joinedAt: number | null;
  readonly json: Json;
}

/** An egress that LiveKit lists. */
export interface ToldEgress {
  egressId: string;
  roomSid: string;
  roomName: string;
  /** How far it has come: 0 starting, 1 active, 2 ending, 3 ended. */
  progress: number;
  /** The latest of its times. */
  changedAt: number | null;
  json: Json;
}

/** What `listRooms` says about a room. */
export function toldRoom(room: Room): ToldRoom {
  return {
    sid: plainText(room.sid),
    name: room.name,
    openedAt: milliseconds(room.creationTimeMs, room.creationTime),
    numParticipants: room.numParticipants,
    // Made only for the few rooms where something is missing: thousands would take a while.
    get json() {
      const { turnPassword: _, ...json } = object(room.toJson()) ?? {};
      return json;
    },
  };
}

// `livekit/protocol livekit_models.proto`, ParticipantInfo.State: `ParticipantInfo_State` is not in the SDK's exports.
const ACTIVE = 2;
const DISCONNECTED = 3;

/** What `listParticipants` says about a participant. */
export const toldParticipant = (participant: ParticipantInfo): ToldParticipant => ({
  sid: plainText(participant.sid),
  identity: participant.identity,
  isActive: Number(participant.state) === ACTIVE,
  isGone: Number(participant.state) === DISCONNECTED,
  joinedAt: milliseconds(participant.joinedAtMs, participant.joinedAt),
  get json() {
    return object(participant.toJson()) ?? {};
  },
});

/** What `listEgress` says about an egress (`livekit/protocol livekit_egress.proto`, EgressInfo). */
export function toldEgress(egress: EgressInfo): ToldEgress {
  const changes = [egress.startedAt, egress.updatedAt, egress.endedAt].map((time) => Number(time / MILLION));
  return {
    egressId: plainText(egress.egressId),
    roomSid: plainText(egress.roomId),
    roomName: egress.roomName,
    progress: Math.min(Number(egress.status), ENDED),
    changedAt: Math.max(...changes) || null,
    json: object(egress.toJson()) ?? {},
  };
}

/** Times of an egress are nanoseconds. */
const MILLION = 1_000_000n;

// Older servers send seconds only; zero is protobuf's "not set".
const milliseconds = (precise: bigint, seconds: bigint): number | null =>
  Number(precise) || Number(seconds) * 1_000 || null;

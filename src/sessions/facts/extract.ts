import type { ConnectionFact, Departure, Facts, RoomFact, RoomFinish, Versioned } from './facts.js';
import { type Json, int64, kindName, object, reasonName, text, textMap } from './protojson.js';

/** An event as the projection reads it. */
export interface FactSource {
  source: string;
  eventId: string;
  /** The event's name. */
  name: string;
  /** When LiveKit sent it, UTC milliseconds. */
  occurredAt: number;
  /** The JSON of its body, whatever that is. */
  body: unknown;
}

/** Room fields that are secret, or say nothing of a session. */
const UNTOLD = new Set(['turnPassword', 'enabledCodecs']);

/**
 * What an event says of its room and its participant. Any event will do: most say a little, and what one does not say
 * (`track_*` has only a participant's sid and identity; `livekit/livekit pkg/telemetry/events.go`) is not known, not empty.
 *
 * @param allowed the names of attributes to keep beside `sip.*`.
 */
export function factsOf(event: FactSource, allowed: ReadonlySet<string> = new Set()): Facts {
  const body = object(event.body);
  const room = object(body?.['room']);
  const egress = object(body?.['egressInfo']);
  const roomSid = text(room?.['sid']) ?? text(egress?.['roomId']);
  if (body === undefined || roomSid === null) return { rooms: [], connections: [] };
  const roomName = text(room?.['name']) ?? text(egress?.['roomName']);
  const participant = object(body['participant']);
  const participantSid = text(participant?.['sid']);
  return {
    rooms: [roomFact(event, body, room ?? {}, roomSid, roomName)],
    connections:
      participant === undefined || participantSid === null
        ? []
        : [connectionFact(event, participant, roomSid, participantSid, allowed)],
  };
}

function roomFact(
  { source, eventId, name, occurredAt }: FactSource,
  body: Json,
  room: Json,
  roomSid: string,
  roomName: string | null,
): RoomFact {
  const openedAt = milliseconds(room['creationTimeMs'], room['creationTime']);
  const described = Object.fromEntries(Object.entries(room).filter(([field]) => !UNTOLD.has(field)));
  const finish: RoomFinish = { at: occurredAt, endReason: text(body['roomEndReason']) };
  return {
    source,
    roomSid,
    roomName,
    openedAt,
    starts: name === 'room_started' ? [occurredAt] : [],
    finishes: name === 'room_finished' ? [finish] : [],
    description: openedAt === null ? null : { at: occurredAt, eventId, room: described },
    seenAt: Math.min(occurredAt, openedAt ?? occurredAt),
  };
}

function connectionFact(
  { source, eventId, name, occurredAt }: FactSource,
  participant: Json,
  roomSid: string,
  participantSid: string,
  allowed: ReadonlySet<string>,
): ConnectionFact {
  const isFull = name.startsWith('participant_');
  const joined = name === 'participant_joined' || name === 'participant_left';
  const version = int64(participant['version']) ?? 0;
  const versioned = <T>(value: T | null): Versioned<T> | null => value && { value, version, eventId };
  const departure: Departure = {
    at: occurredAt,
    reason: reasonName(participant['disconnectReason']),
    eventId,
  };
  return {
    source,
    roomSid,
    participantSid,
    identity: text(participant['identity']),
    // protojson leaves out an enum's zero value: a full participant without a kind is a standard one.
    kind: isFull ? kindName(participant['kind']) : null,
    connected: joined || name.startsWith('track_'),
    joinedAt: joined ? joinTime(participant, name === 'participant_joined' ? occurredAt : null) : null,
    leave: name === 'participant_left' ? departure : null,
    abort: name === 'participant_connection_aborted' ? departure : null,
    name: versioned(text(participant['name'])),
    attributes: versioned(keptAttributes(participant['attributes'], allowed)),
  };
}

const joinTime = (participant: Json, otherwise: number | null): number | null =>
  milliseconds(participant['joinedAtMs'], participant['joinedAt']) ?? otherwise;

// Older servers tell seconds only.
const milliseconds = (precise: unknown, seconds: unknown): number | null => {
  const whole = int64(seconds);
  return int64(precise) ?? (whole === null ? null : whole * 1000);
};

function keptAttributes(attributes: unknown, allowed: ReadonlySet<string>): Record<string, string> | null {
  const kept = Object.entries(textMap(attributes)).filter(([name]) => isSipField(name) || allowed.has(name));
  return kept.length === 0 ? null : Object.fromEntries(kept);
}

const SIP_FIELDS = new Set(
  ['callID', 'callIDFull', 'callStatus', 'phoneNumber', 'ruleID', 'trunkID', 'trunkPhoneNumber'].map(
    (field) => `sip.${field}`,
  ),
);

const isSipField = (name: string): boolean => SIP_FIELDS.has(name);

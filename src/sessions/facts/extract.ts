import { plainText, plainTextOrNull } from '../../database/plain-text.js';
import { egressFact } from './egress.js';
import type {
  ConnectionFact,
  Departure,
  Facts,
  RoomDescription,
  RoomFact,
  RoomFinish,
  Versioned,
} from './facts.js';
import {
  type Json,
  endReasonName,
  int64,
  kindOf,
  MIGRATION,
  object,
  reasonName,
  SIP_FIELDS,
  textMap,
} from './protojson.js';

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
  /** LiveKit did not send it, but said so when asked: an end that it reports is inferred. */
  reconciled?: true;
}

const TELLING_EVENTS = new Set([
  'room_started',
  'room_finished',
  'participant_joined',
  'participant_left',
  'participant_connection_aborted',
  'track_published',
  'track_unpublished',
]);

/**
 * What an event says about its room and its participant. What it leaves out (`track_*` has only a participant's sid and
 * identity; `livekit/livekit pkg/telemetry/events.go`) is unknown, not empty. An event of another name says nothing: a host's
 * own may well have a `room` that means something else.
 *
 * @param allowed the names of attributes to keep besides `SIP_FIELDS`.
 */
export function factsOf(event: FactSource, allowed: ReadonlySet<string> = new Set()): Facts {
  const body = tells(event.name) ? object(event.body) : undefined;
  const room = object(body?.['room']);
  const egress = object(body?.['egressInfo']);
  const roomSid = plainTextOrNull(room?.['sid']) ?? plainTextOrNull(egress?.['roomId']);
  if (body === undefined || roomSid === null) return { rooms: [], connections: [], egresses: [] };
  const roomName = plainTextOrNull(room?.['name']) ?? plainTextOrNull(egress?.['roomName']);
  const participant = object(body['participant']);
  const participantSid = plainTextOrNull(participant?.['sid']);
  return {
    rooms: [roomFact(event, body, room ?? {}, roomSid, roomName)],
    connections:
      participant === undefined || participantSid === null
        ? []
        : [connectionFact(event, participant, roomSid, participantSid, allowed)],
    egresses: egress === undefined ? [] : [egressFact(event, egress, roomSid)],
  };
}

const tells = (name: string): boolean => TELLING_EVENTS.has(name) || name.startsWith('egress_');

function roomFact(
  { source, eventId, name, occurredAt, reconciled }: FactSource,
  body: Json,
  room: Json,
  roomSid: string,
  roomName: string | null,
): RoomFact {
  const openedAt = milliseconds(room['creationTimeMs'], room['creationTime']);
  // These have the full object, though a server may not say when it made the room; what LiveKit did not send may have only names.
  const isFull = !reconciled && /^(?:room|participant)_/.test(name) && roomName !== null;
  const finish: RoomFinish = {
    at: occurredAt,
    endReason: endReasonName(body['roomEndReason']),
    ...(reconciled && { inferred: body['because'] === 'empty' ? 'empty' : 'gone' }),
  };
  return {
    source,
    roomSid,
    roomName,
    openedAt,
    // When LiveKit was asked is not when the room was opened.
    starts: name === 'room_started' && !reconciled ? [occurredAt] : [],
    listedAt: name === 'room_started' && reconciled ? occurredAt : null,
    finishes: name === 'room_finished' ? [finish] : [],
    description: openedAt === null && !isFull ? null : { at: occurredAt, eventId, room: describe(room) },
    seenAt: Math.min(occurredAt, openedAt ?? occurredAt),
  };
}

/** Its plain fields: all but the TURN password, which is secret, and lists (`enabledCodecs`) that say nothing about a session. */
const describe = (room: Json): RoomDescription =>
  Object.fromEntries(
    Object.entries(room)
      .filter(([field, value]) => field !== 'turnPassword' && typeof value !== 'object')
      .map(([field, value]) => [plainText(field), typeof value === 'string' ? plainText(value) : value]),
  );

function connectionFact(
  { source, eventId, name, occurredAt, reconciled }: FactSource,
  participant: Json,
  roomSid: string,
  participantSid: string,
  allowed: ReadonlySet<string>,
): ConnectionFact {
  const isFull = name.startsWith('participant_');
  const version = int64(participant['version']) ?? 0;
  const versioned = <T>(value: T | null): Versioned<T> | null => value && { value, version, eventId };
  const reason = reconciled ? null : reasonName(participant['disconnectReason']);
  // Whoever could not connect has not left, whatever it is called: servers since 1.9.1 say that it was aborted.
  const isLeave = name === 'participant_left' && reason !== 'JOIN_FAILURE';
  const isAttempt = name === 'participant_connection_aborted' || (name === 'participant_left' && !isLeave);
  const joined = name === 'participant_joined' || isLeave;
  const hasLeft = participant['state'] === 'DISCONNECTED' || participant['state'] === 3;
  const departure: Departure = {
    at: occurredAt,
    reason,
    eventId,
    ...((reconciled || reason === MIGRATION) && { inferred: true }),
  };
  return {
    source,
    roomSid,
    participantSid,
    identity: plainTextOrNull(participant['identity']),
    // protojson leaves out an enum's zero value: a full participant without a kind is a standard one. A leave that LiveKit did
    // not send is made of what is known.
    kind: isFull && (!reconciled || !isLeave || 'kind' in participant) ? kindOf(participant) : null,
    connected: joined || name.startsWith('track_'),
    seenAt: joined || name.startsWith('track_') ? occurredAt : null,
    // A join may be told after the leave, if that came at once: it is then of somebody who has left.
    lastSeenAt: (name === 'participant_joined' && !hasLeft) || name.startsWith('track_') ? occurredAt : null,
    joinedAt: joined ? joinTime(participant, name === 'participant_joined' ? occurredAt : null) : null,
    leave: isLeave ? departure : null,
    abort: isAttempt ? departure : null,
    name: versioned(plainTextOrNull(participant['name'])),
    attributes: versioned(keptAttributes(participant['attributes'], allowed)),
  };
}

const joinTime = (participant: Json, otherwise: number | null): number | null =>
  milliseconds(participant['joinedAtMs'], participant['joinedAt']) ?? otherwise;

/** The last millisecond that a `Date` can represent. */
const LAST_TIME = 8.64e15;

// Older servers send seconds only.
const milliseconds = (precise: unknown, seconds: unknown): number | null => {
  const whole = int64(seconds);
  const time = int64(precise) ?? (whole === null ? null : whole * 1000);
  return time === null || time > LAST_TIME ? null : time;
};

function keptAttributes(attributes: unknown, allowed: ReadonlySet<string>): Record<string, string> | null {
  const kept = Object.entries(textMap(attributes)).filter(
    ([name]) => SIP_FIELDS.has(name) || allowed.has(name),
  );
  return kept.length === 0 ? null : Object.fromEntries(kept);
}

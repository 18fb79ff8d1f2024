import { plainTextOrNull } from '../../database/plain-text.js';

/** A JSON object of unknown shape. */
export type Json = Record<string, unknown>;

/** A 64-bit integer that is short enough to be an exact number. */
const EXACT = /^\d{1,15}$/;

/** The value if it is an object, else undefined. */
export const object = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;

/** The objects in a list. */
export const objects = (value: unknown): Json[] =>
  Array.isArray(value) ? value.map(object).filter((entry) => entry !== undefined) : [];

/** A positive 64-bit integer, which protojson writes as a string, or null; zero is protobuf's "not set". */
export function int64(value: unknown): number | null {
  const digits = digitsOf(value);
  return EXACT.test(digits) ? Number(digits) || null : null;
}

/** The digits of a 64-bit integer, even if a relay has made a number of it; of anything else, any text. */
export const digitsOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

/** The strings in a map of strings. */
export const textMap = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(object(value) ?? {}).flatMap(([name, entry]) => {
      const told = plainTextOrNull(entry);
      return told === null ? [] : [[plainTextOrNull(name) ?? '', told]];
    }),
  );

/** The attributes that every SIP call has: they are kept without being asked for. */
export const SIP_FIELDS: ReadonlySet<string> = new Set(
  ['callID', 'callIDFull', 'callStatus', 'phoneNumber', 'ruleID', 'trunkID', 'trunkPhoneNumber'].map(
    (field) => `sip.${field}`,
  ),
);

// `livekit/protocol livekit_models.proto`: webhooks have the names; the numbers are for relays that re-encode them.
const KINDS: Record<number, string> = {
  0: 'STANDARD',
  1: 'INGRESS',
  2: 'EGRESS',
  3: 'SIP',
  4: 'AGENT',
  7: 'CONNECTOR',
  8: 'BRIDGE',
};

const DISCONNECT_REASONS = [
  'UNKNOWN_REASON',
  'CLIENT_INITIATED',
  'DUPLICATE_IDENTITY',
  'SERVER_SHUTDOWN',
  'PARTICIPANT_REMOVED',
  'ROOM_DELETED',
  'STATE_MISMATCH',
  'JOIN_FAILURE',
  'MIGRATION',
  'SIGNAL_CLOSE',
  'ROOM_CLOSED',
  'USER_UNAVAILABLE',
  'USER_REJECTED',
  'SIP_TRUNK_FAILURE',
  'CONNECTION_TIMEOUT',
  'MEDIA_FAILURE',
  'AGENT_ERROR',
];

/** The reason of a connection that leaves one server for another: most go on there, under the same sid. */
export const MIGRATION = 'MIGRATION';

/**
 * A participant's kind in lower case; the zero value, which is left out, is `standard`, unless its permissions say otherwise: older
 * tokens mark recorders and agents by these alone, and LiveKit goes by either (`livekit/livekit` `IsRecorder`, `IsAgent`).
 */
export function kindOf(participant: Json): string {
  const told = participant['kind'];
  const kind = (typeof told === 'number' ? KINDS[told] : plainTextOrNull(told)) ?? 'STANDARD';
  if (kind !== 'STANDARD') return kind.toLowerCase();
  const permission = object(participant['permission']);
  if (permission?.['recorder'] === true) return 'egress';
  return permission?.['agent'] === true ? 'agent' : 'standard';
}

/** LiveKit's name for why somebody left; the zero value, which is left out, is `UNKNOWN_REASON`. */
export const reasonName = (value: unknown): string =>
  (typeof value === 'number' ? DISCONNECT_REASONS[value] : plainTextOrNull(value)) ?? 'UNKNOWN_REASON';

// `RoomEndReason`.
const ROOM_END_REASONS = [
  'ROOM_END_UNKNOWN',
  'ROOM_END_API_DELETE',
  'ROOM_END_IDLE_TIMEOUT',
  'ROOM_END_SERVER_SHUTDOWN',
  'ROOM_END_SUPERSEDED',
  'ROOM_END_OPEN_FAILED',
];

/** LiveKit's name for why a room ended; null when it is left out, as by most servers, or is the zero value, which says no more. */
export function endReasonName(value: unknown): string | null {
  const name = typeof value === 'number' ? ROOM_END_REASONS[value] : plainTextOrNull(value);
  return name === undefined || name === ROOM_END_REASONS[0] ? null : name;
}

/** A status in lower case, without the prefix of its enum; the first name is the zero value, which is left out. */
export const statusName = (value: unknown, prefix: string, names: readonly string[]): string => {
  const told = typeof value === 'number' ? names[value] : plainTextOrNull(value);
  return (told ?? (names[0] as string)).replace(prefix, '').toLowerCase();
};

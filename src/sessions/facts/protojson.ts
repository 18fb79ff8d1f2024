import { plainTextOrNull } from '../../database/plain-text.js';

/** A JSON object of which nothing is known. */
export type Json = Record<string, unknown>;

/** The longest a 64-bit integer of ours may be and still be exact. */
const EXACT = /^\d{1,15}$/;

/** An object, or undefined when the value is none. */
export const object = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;

/** The objects in a list. */
export const objects = (value: unknown): Json[] =>
  Array.isArray(value) ? value.map(object).filter((entry) => entry !== undefined) : [];

/** A positive 64-bit integer, which protojson writes as text, or null; zero is protobuf's "not set". */
export function int64(value: unknown): number | null {
  const digits = digitsOf(value);
  return EXACT.test(digits) ? Number(digits) || null : null;
}

/** A 64-bit integer as its digits, though a relay has made a number of it; whatever else it is may be no digits at all. */
export const digitsOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

/** The texts in a map of texts. */
export const textMap = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(object(value) ?? {}).flatMap(([name, entry]) => {
      const told = plainTextOrNull(entry);
      return told === null ? [] : [[plainTextOrNull(name) ?? '', told]];
    }),
  );

// `livekit/protocol livekit_models.proto`: names stand in webhooks; the numbers, should a relay re-encode them.
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

/** Why a connection leaves one server for another: most go on there, under the same sid. */
export const MIGRATION = 'MIGRATION';

/** A participant's kind in lower case; the zero value, which is left out, is `standard`, unless it may record: older servers tell recorders by that alone. */
export function kindOf(participant: Json): string {
  const told = participant['kind'];
  const kind = (typeof told === 'number' ? KINDS[told] : plainTextOrNull(told)) ?? 'STANDARD';
  const isRecorder = object(participant['permission'])?.['recorder'] === true;
  return kind === 'STANDARD' && isRecorder ? 'egress' : kind.toLowerCase();
}

/** Why somebody left, by LiveKit's name for it; the zero value, which is left out, is `UNKNOWN_REASON`. */
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

/** Why a room ended, by LiveKit's name for it; null when it is left out, for most servers tell none. */
export const endReasonName = (value: unknown): string | null =>
  (typeof value === 'number' ? ROOM_END_REASONS[value] : plainTextOrNull(value)) ?? null;

/** A status in lower case, without the prefix of its enum; the first name is the zero value, which is left out. */
export const statusName = (value: unknown, prefix: string, names: readonly string[]): string => {
  const told = typeof value === 'number' ? names[value] : plainTextOrNull(value);
  return (told ?? (names[0] as string)).replace(prefix, '').toLowerCase();
};

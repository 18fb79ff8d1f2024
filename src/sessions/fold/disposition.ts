import { presenceOf, type SessionFold } from './fold.js';
import { counts } from './participants.js';
import { greatest, mostAtOnce } from './presence.js';

/** Every disposition that the rules give. */
export const RULED_DISPOSITIONS = [
  'failed',
  'nobody_came',
  'no_answer',
  'busy',
  'abandoned',
  'dropped',
  'deleted',
  'completed',
] as const;

/** How a session went, by the rules. */
export type RuledDisposition = (typeof RULED_DISPOSITIONS)[number];

/** How many parties make a call, unless the host says otherwise. */
export const DEFAULT_PARTIES = 2;

/** The reasons of a party that never answered (LiveKit's `DisconnectReason`). */
const UNANSWERED = new Set(['USER_UNAVAILABLE', 'SIP_TRUNK_FAILURE', 'USER_REJECTED']);

/** The reasons of a party that did not mean to leave. */
const DROPPED = new Set(['CONNECTION_TIMEOUT', 'MEDIA_FAILURE', 'AGENT_ERROR']);

/**
 * How a session went, by the first rule that applies; `null` while it goes on.
 *
 * @param parties how many must have been there at once for it to be a call.
 */
export function dispositionOf(session: SessionFold, parties = DEFAULT_PARTIES): RuledDisposition | null {
  if (session.state === 'active') return null;
  const all = session.participants.flatMap(({ identity, connections }) =>
    connections.filter(counts).map((one) => ({ ...one, identity })),
  );
  const leftWith = (wanted: string) => all.some(({ reason }) => reason === wanted);

  if (all.length === 0) return session.abortedAttempts > 0 ? 'failed' : 'nobody_came';

  const answered = all.filter(({ reason }) => !UNANSWERED.has(reason ?? ''));
  if (mostAtOnce(answered.flatMap(presenceOf)) < parties) {
    if (leftWith('USER_UNAVAILABLE') || leftWith('SIP_TRUNK_FAILURE')) return 'no_answer';
    return leftWith('USER_REJECTED') ? 'busy' : 'abandoned';
  }

  // A party replaced by another connection of its own has not left.
  const callers = all.filter(({ kind, reason }) => kind !== 'agent' && reason !== 'DUPLICATE_IDENTITY');
  const lastLeftAt = greatest(callers.flatMap(({ leftAt }) => leftAt ?? []));
  const last = callers.filter(({ leftAt }) => leftAt === lastLeftAt);
  if (last.some(({ reason }) => DROPPED.has(reason ?? ''))) return 'dropped';

  return wasDeleted(session) ? 'deleted' : 'completed';
}

/** Whether the room was deleted: everybody in it is told so, even a recorder that is there alone. */
const wasDeleted = ({ endReason, participants }: SessionFold): boolean =>
  endReason === 'ROOM_END_API_DELETE' ||
  participants.some(({ connections }) => connections.some(({ reason }) => reason === 'ROOM_DELETED'));

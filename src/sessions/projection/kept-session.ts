import { hash } from 'node:crypto';
import type { SessionEntity } from '../../database/entities/session.entity.js';
import type { RoomChange } from './fact-store.js';
import type { RoomFacts } from '../facts/facts.js';
import { foldRoom, type SessionFold } from '../fold/fold.js';
import type { SessionName } from './session-naming.js';
import type { SessionRow } from './session-row.js';
import type { Session } from '../session.js';
import { livekitUrlOf, type SessionsSettings } from '../sessions.options.js';
import { isRunning, toSession } from '../to-session.js';

/** How long after LiveKit should have closed an empty room, and after the last news of it, it is presumed closed, milliseconds. */
const CLOSED_AFTER = 5 * 60_000;

/** A session as folded from its room now, and its stored row, if there is one. */
export interface FoldedSession {
  room: RoomChange;
  fold: SessionFold;
  before: SessionEntity | undefined;
}

/** What is stored of a session from now on. */
export interface KeptSession {
  room: RoomChange;
  row: Omit<SessionEntity, 'pk'>;
  /** `undefined` if it is new. */
  pk: number | undefined;
  /** As it is reported from now on. */
  session: Session;
  /** When LiveKit must have closed its long empty room; `null` if it has not, as far as is known. */
  closedAt: number | null;
  hasChanged: boolean;
  /** Whether it must be written. */
  isStale: boolean;
}

/** What the stored session depends on besides its facts. */
export interface Keeping {
  name: SessionName;
  /** UTC milliseconds. */
  now: number;
  settings: SessionsSettings;
  /** Whether it settles, or its room is closed, if that is due. */
  settles: boolean;
  /** Adds the caller's changes and the disposition. */
  judged(row: SessionRow): SessionRow;
}

/** The sessions of a room's facts, each with its stored row, if there is one. */
export const sessionsWithRows = (
  facts: RoomFacts,
  rows: readonly SessionEntity[],
): Omit<FoldedSession, 'room'>[] =>
  foldRoom(facts).map((fold) => ({ fold, before: rows.find(({ segment }) => segment === fold.segment) }));

/** Computes what is stored of a session from now on. */
export function keptSession(folded: FoldedSession, keeping: Keeping): KeptSession {
  const { fold, before, room } = folded;
  const { now, settings } = keeping;
  const isDue = keeping.settles && before?.dueAt != null && before.dueAt <= now;
  const closedAt = isDue ? closedLongAgo(fold, now, settings) : null;
  const row = keeping.judged(rowOf(folded, keeping, isDue));
  const told = toSession(fold, { ...row, revision: 0 });
  const digest = hash('sha256', JSON.stringify(told), 'hex');
  const hasChanged = digest !== before?.digest;
  const revision = row.revision + (hasChanged ? 1 : 0);
  // Facts that have arrived since may have put it off.
  const dueBefore = room.before === room.after ? (before?.dueAt ?? null) : null;
  const entity = {
    ...row,
    source: fold.source,
    roomSid: fold.roomSid,
    segment: fold.segment,
    beganAt: fold.beganAt,
    endedAt: fold.endedAt,
    dueAt: closedAt === null ? dueAt(fold, row, dueBefore, now, settings) : null,
    revision,
    digest,
    traceparent: room.traceparent ?? before?.traceparent ?? null,
  };
  const isStale =
    hasChanged ||
    entity.dueAt !== before.dueAt ||
    entity.beganAt !== before.beganAt ||
    entity.idKept !== before.idKept;
  return {
    room,
    row: entity,
    pk: before?.pk,
    session: { ...told, revision },
    closedAt,
    hasChanged,
    isStale,
  };
}

/** Its state, and the host's word on how it went, if there is one. */
function rowOf({ fold, before }: FoldedSession, keeping: Keeping, isDue: boolean): SessionRow {
  const { name, now, settings } = keeping;
  const isActive = fold.state === 'active';
  const isSettled = before?.state === 'settled' || isDue;
  const isHosts = before?.dispositionSource === 'host';
  return {
    sessionId: name.sessionId,
    metadata: name.metadata,
    unmatched: name.unmatched,
    idKept: name.idKept,
    state: isActive ? 'active' : isSettled ? 'settled' : 'ended',
    disposition: isHosts ? before.disposition : null,
    dispositionSource: isHosts ? 'host' : null,
    settlesAt: isActive ? null : (before?.settlesAt ?? Math.max(now, fold.endedAt ?? now) + settings.settle),
    revision: before?.revision ?? 0,
  };
}

function closedLongAgo(fold: SessionFold, now: number, settings: SessionsSettings): number | null {
  const isLongEmpty =
    fold.state === 'active' && fold.closesAt !== null && fold.closesAt + CLOSED_AFTER <= now;
  return isLongEmpty && !isAsked(fold, settings) ? fold.closesAt : null;
}

/**
 * When it must be looked at again.
 *
 * @param before when it was due until now; `null` if it was not, or if facts about its room have arrived since.
 */
function dueAt(
  fold: SessionFold,
  { state, settlesAt }: SessionRow,
  before: number | null,
  now: number,
  settings: SessionsSettings,
): number | null {
  const { closesAt, recordings } = fold;
  if (state === 'active') {
    if (closesAt === null || isAsked(fold, settings)) return null;
    // The events may be old (a backlog, a replay of recorded webhooks), with the next ones on their way.
    return Math.max(closesAt + CLOSED_AFTER, before ?? now + CLOSED_AFTER);
  }
  if (state === 'settled' || settlesAt === null) return null;
  return recordings.some(isRunning) ? settlesAt + settings.recordingTimeout : settlesAt;
}

/** Whether LiveKit is asked: then its own answers say which rooms are gone. */
const isAsked = ({ source }: SessionFold, settings: SessionsSettings): boolean =>
  livekitUrlOf(settings, source) !== undefined;

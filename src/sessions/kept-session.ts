import { hash } from 'node:crypto';
import type { SessionEntity } from '../database/entities/session.entity.js';
import type { RoomChange } from './fact-store.js';
import type { RoomFacts } from './facts/facts.js';
import { foldRoom, type SessionFold } from './fold/fold.js';
import type { SessionName } from './session-naming.js';
import type { SessionRow } from './session-row.js';
import type { Session } from './session.js';
import { livekitUrlOf, type SessionsSettings } from './sessions.options.js';
import { isRunning, toSession } from './to-session.js';

/** How long after LiveKit should have closed an empty room, and after it was last heard of, it is taken for closed, milliseconds. */
const CLOSED_AFTER = 5 * 60_000;

/** A session as its room is folded now, and what was kept of it. */
export interface FoldedSession {
  room: RoomChange;
  fold: SessionFold;
  before: SessionEntity | undefined;
}

/** What is kept of a session from now on. */
export interface KeptSession {
  room: RoomChange;
  row: Omit<SessionEntity, 'pk'>;
  /** `undefined`: it is new. */
  pk: number | undefined;
  /** As it is told from now on. */
  session: Session;
  /** When LiveKit must have closed its room, which has been empty for so long; `null`: it has not, as far as is known. */
  closedAt: number | null;
  hasChanged: boolean;
  /** Whether it must be written. */
  isStale: boolean;
}

/** What a session is kept by beside its facts. */
export interface Keeping {
  name: SessionName;
  /** UTC milliseconds. */
  now: number;
  settings: SessionsSettings;
  /** Whether it settles, and its room is closed, when its time has come. */
  settles: boolean;
  /** What somebody says of it, and how it went. */
  judged(row: SessionRow): SessionRow;
}

/** The sessions that facts make, each with its row, of those that there are. */
export const sessionsWithRows = (
  facts: RoomFacts,
  rows: readonly SessionEntity[],
): Omit<FoldedSession, 'room'>[] =>
  foldRoom(facts).map((fold) => ({ fold, before: rows.find(({ segment }) => segment === fold.segment) }));

/** What becomes of a session. */
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
  // What has been told of its room since may have put it off.
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
  const isStale = hasChanged || entity.dueAt !== before.dueAt || entity.beganAt !== before.beganAt;
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

/** How far it has come, with the host's word of how it went, if there is one. */
function rowOf({ fold, before }: FoldedSession, keeping: Keeping, isDue: boolean): SessionRow {
  const { name, now, settings } = keeping;
  const isActive = fold.state === 'active';
  const isSettled = before?.state === 'settled' || isDue;
  const isHosts = before?.dispositionSource === 'host';
  return {
    sessionId: name.sessionId,
    metadata: name.metadata,
    unmatched: name.unmatched,
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
 * When somebody must look at it again.
 *
 * @param before when somebody was to; `null`: nobody was, or something has been told of its room since.
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
    // What is told may be long past (a backlog, a replay of recorded webhooks), and the next of it on its way.
    return Math.max(closesAt + CLOSED_AFTER, before ?? now + CLOSED_AFTER);
  }
  if (state === 'settled' || settlesAt === null) return null;
  return recordings.some(isRunning) ? settlesAt + settings.recordingTimeout : settlesAt;
}

/** Whether LiveKit is asked: then it tells itself what is gone. */
const isAsked = ({ source }: SessionFold, settings: SessionsSettings): boolean =>
  livekitUrlOf(settings, source) !== undefined;

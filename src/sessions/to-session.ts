import { ENDED } from './facts/egress.js';
import type { EgressFact } from './facts/facts.js';
import type { SessionFold } from './fold/fold.js';
import type { Session, SessionRecording } from './session.js';
import type { SessionRow } from './projection/session-row.js';

/** A folded session in its public shape, with what its row adds. */
export function toSession(fold: SessionFold, row: SessionRow): Session {
  return {
    sessionId: row.sessionId,
    project: fold.source,
    roomName: fold.roomName,
    roomSid: fold.roomSid,
    segment: fold.segment,
    state: row.state,
    startedAt: iso(fold.startedAt),
    firstJoinedAt: iso(fold.firstJoinedAt),
    lastLeftAt: iso(fold.lastLeftAt),
    endedAt: iso(fold.endedAt),
    durationSeconds: fold.durationSeconds,
    participantSeconds: fold.participantSeconds,
    peakParticipants: fold.peakParticipants,
    activeParticipants: fold.activeParticipants,
    disposition: row.disposition,
    dispositionSource: row.dispositionSource,
    endReason: fold.endReason,
    metadata: row.metadata,
    unmatched: row.unmatched,
    inferred: inferredIn(fold, row),
    revision: row.revision,
    participants: fold.participants.map((participant) => ({
      ...participant,
      // Field by field: with a spread, the thousands of a large room take several times as long.
      connections: participant.connections.map(({ participantSid, joinedAt, leftAt, reason, inferred }) => ({
        participantSid,
        joinedAt: iso(joinedAt),
        leftAt: iso(leftAt),
        reason,
        inferred,
      })),
    })),
    recordings: fold.recordings.map(toRecording),
  };
}

const UNNAMED = 'event:';

const toRecording = ({ egressId, startedAt, report }: EgressFact): SessionRecording => ({
  egressId: egressId.startsWith(UNNAMED) ? null : egressId,
  status: report.status,
  startedAt: iso(startedAt),
  endedAt: iso(report.endedAt),
  files: report.files,
  segments: report.segments,
  streams: report.streams,
  error: report.error,
});

// A disposition is only as certain as who was there when, and why the room closed; a recording that never ended is not final.
function inferredIn({ inferred, endReason, recordings }: SessionFold, row: SessionRow): string[] {
  // Even a recorder's leave may tell that the room was deleted.
  const mayBeDeleted = row.disposition === 'completed' && endReason === null && inferred.includes('leftAt');
  const isUnsure = inferred.includes('peakParticipants') || inferred.includes('endedAt') || mayBeDeleted;
  const isRuled = row.dispositionSource === 'rules' && isUnsure;
  const isUnfinished = row.state === 'settled' && recordings.some(isRunning);
  return [...inferred, ...(isRuled ? ['disposition'] : []), ...(isUnfinished ? ['recordings'] : [])];
}

/** Whether a recording is still running, as far as is known. */
export const isRunning = ({ report }: EgressFact): boolean => report.progress < ENDED;

const iso = (time: number | null): string | null => (time === null ? null : new Date(time).toISOString());

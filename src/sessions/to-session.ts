import type { SessionEntity } from '../database/entities/session.entity.js';
import type { SessionFold } from './facts/fold.js';
import type { Session } from './session.js';

/** A folded session in the shape that others are told. */
export function toSession(fold: SessionFold, row: Pick<SessionEntity, 'sessionId' | 'revision'>): Session {
  return {
    sessionId: row.sessionId,
    project: fold.source,
    roomName: fold.roomName,
    roomSid: fold.roomSid,
    state: fold.state,
    startedAt: iso(fold.startedAt),
    firstJoinedAt: iso(fold.firstJoinedAt),
    lastLeftAt: iso(fold.lastLeftAt),
    endedAt: iso(fold.endedAt),
    durationSeconds: fold.durationSeconds,
    participantSeconds: fold.participantSeconds,
    peakParticipants: fold.peakParticipants,
    disposition: null,
    dispositionSource: null,
    endReason: fold.endReason,
    metadata: {},
    inferred: fold.inferred,
    revision: row.revision,
    participants: fold.participants.map((participant) => ({
      ...participant,
      connections: participant.connections.map(({ joinedAt, leftAt, ...connection }) => ({
        ...connection,
        joinedAt: iso(joinedAt),
        leftAt: iso(leftAt),
      })),
    })),
    recordings: [],
  };
}

const iso = (time: number | null): string | null => (time === null ? null : new Date(time).toISOString());

import type { Session, SessionRecording } from '../../../src/sessions/session.js';

/** A connection as LiveKit knows it. Times are UTC milliseconds. */
export interface TrueConnection {
  sid: string;
  identity: string;
  name: string | null;
  kind: string;
  sip: Session['participants'][number]['sip'];
  joinedAt: number;
  /** As it is told: the second. `null` while it lasts. */
  leftAt: number | null;
  reason: string | null;
}

/** A session as it was. */
export interface TrueSession {
  roomSid: string;
  roomName: string;
  segment: number;
  startedAt: number;
  endedAt: number | null;
  endReason: string | null;
  connections: TrueConnection[];
  /** Attempts that never became a connection, of who counts: their sids. */
  attempts: string[];
  recordings: SessionRecording[];
}

const GOES_ON = new Set(['starting', 'active', 'ending']);

/** What is told of a session when nothing is lost: the contract ("What a session means"), read once more. */
export function tell(session: TrueSession): Omit<Session, 'revision'> {
  const counted = session.connections.filter(({ kind }) => kind !== 'egress' && kind !== 'ingress');
  const isThere = counted.some(({ leftAt }) => leftAt === null);
  const isOver = session.endedAt !== null;
  const [first] = counted.map(({ joinedAt }) => joinedAt).toSorted((a, b) => a - b);
  const last = isThere
    ? undefined
    : counted.map(({ leftAt }) => leftAt as number).toSorted((a, b) => b - a)[0];
  const disposition = isOver ? dispositionOf(session, counted) : null;
  return {
    sessionId: session.roomName,
    project: 'default',
    roomName: session.roomName,
    roomSid: session.roomSid,
    segment: session.segment,
    state: isOver ? 'settled' : 'active',
    startedAt: iso(session.startedAt),
    firstJoinedAt: iso(first),
    lastLeftAt: iso(last),
    endedAt: iso(session.endedAt),
    durationSeconds: first === undefined || last === undefined ? null : (last - first) / 1_000,
    participantSeconds: {
      standard: secondsOf(counted, (kind) => kind !== 'agent' && kind !== 'sip'),
      agent: secondsOf(counted, (kind) => kind === 'agent'),
      sip: secondsOf(counted, (kind) => kind === 'sip'),
    },
    peakParticipants: peakOf(counted),
    activeParticipants: new Set(
      counted.filter(({ leftAt }) => leftAt === null).map(({ identity }) => identity),
    ).size,
    disposition,
    dispositionSource: disposition === null ? null : 'rules',
    endReason: session.endReason,
    metadata: {},
    unmatched: null,
    // Nothing was lost; but a recording that has not ended by then is not known in the end.
    inferred: isOver && session.recordings.some(({ status }) => GOES_ON.has(status)) ? ['recordings'] : [],
    participants: participantsOf(session.connections),
    recordings: session.recordings.toSorted((a, b) => ((a.egressId ?? '') < (b.egressId ?? '') ? -1 : 1)),
  };
}

const secondsOf = (connections: readonly TrueConnection[], isOf: (kind: string) => boolean): number => {
  let milliseconds = 0;
  for (const { kind, joinedAt, leftAt } of connections) {
    if (isOf(kind) && leftAt !== null) milliseconds += leftAt - joinedAt;
  }
  return milliseconds / 1_000;
};

/** Somebody has just come whenever more are there than before: it is enough to look then. */
function peakOf(connections: readonly TrueConnection[]): number {
  const together = connections.map(({ joinedAt: now }) => {
    const there = connections.filter(
      ({ joinedAt, leftAt }) => joinedAt <= now && (leftAt === null || now < Math.max(leftAt, joinedAt + 1)),
    );
    return new Set(there.map(({ identity }) => identity)).size;
  });
  return Math.max(0, ...together);
}

function dispositionOf(session: TrueSession, counted: readonly TrueConnection[]): string {
  if (counted.length === 0) return session.attempts.length > 0 ? 'failed' : 'nobody_came';
  const reasons = new Set(counted.map(({ reason }) => reason));
  const answered = counted.filter(
    ({ reason }) => reason !== 'USER_UNAVAILABLE' && reason !== 'USER_REJECTED',
  );
  if (peakOf(answered) < 2) {
    if (reasons.has('USER_UNAVAILABLE')) return 'no_answer';
    if (reasons.has('USER_REJECTED')) return 'busy';
    return 'abandoned';
  }
  const callers = counted.filter(({ kind, reason }) => kind !== 'agent' && reason !== 'DUPLICATE_IDENTITY');
  const end = Math.max(...callers.map(({ leftAt }) => leftAt as number));
  const lastly = callers.filter(({ leftAt }) => leftAt === end).map(({ reason }) => reason);
  if (lastly.some((reason) => /^(?:CONNECTION_TIMEOUT|MEDIA_FAILURE|AGENT_ERROR)$/.test(reason ?? ''))) {
    return 'dropped';
  }
  const wasDeleted = session.connections.some(({ reason }) => reason === 'ROOM_DELETED');
  return session.endReason === 'ROOM_END_API_DELETE' || wasDeleted ? 'deleted' : 'completed';
}

function participantsOf(connections: readonly TrueConnection[]): Session['participants'] {
  const participants: Session['participants'] = [];
  for (const connection of connections.toSorted((a, b) => a.joinedAt - b.joinedAt)) {
    const { identity, name, kind, sip } = connection;
    let participant = participants.find((one) => one.identity === identity);
    if (participant === undefined) {
      participant = { identity, name, kind, attributes: {}, sip, connections: [] };
      participants.push(participant);
    }
    Object.assign(participant, { name, kind, sip }); // of the latest connection
    participant.connections.push({
      participantSid: connection.sid,
      joinedAt: iso(connection.joinedAt),
      leftAt: iso(connection.leftAt),
      reason: connection.reason,
      inferred: [],
    });
  }
  return participants;
}

export const iso = (time: number | null | undefined): string | null =>
  time == null ? null : new Date(time).toISOString();

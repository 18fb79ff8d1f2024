import { isDeepStrictEqual } from 'node:util';
import { countedKind } from '../fold/presence.js';
import type { Session, SessionConnection, SessionParticipant } from '../session.js';
import type { SessionEventMap, SessionEventName, SessionSummary } from './session-events.js';

/** A change of a session that is announced. */
export type SessionChange = {
  [N in SessionEventName]: {
    name: N;
    payload: SessionEventMap[N];
    /** Distinguishes it from other changes of this name in this session. */
    key: string | number;
    /** ISO 8601; `null`: now. */
    at: string | null;
  };
}[Exclude<SessionEventName, 'session.expired'>];

/**
 * The changes of a room's sessions to announce, of each in the order in which they happen in a session's life.
 *
 * @param before the sessions as they were last announced.
 */
export function changesOf(before: readonly Session[], after: readonly Session[]): SessionChange[] {
  const known = new Map(before.map((session) => [session.segment, session]));
  const connections = leavesIn(before);
  const changes = after.flatMap((session) => changesTo(known.get(session.segment), session, connections));
  for (const { segment } of after) known.delete(segment);
  // Where two sessions turned out to be one, nothing is left of the second; only those who have billed it must know.
  const gone = [...known.values()].filter(({ state }) => state === 'settled');
  return [...changes, ...gone.map((session) => corrected(session, null))];
}

function changesTo(before: Session | undefined, session: Session, connections: Leaves): SessionChange[] {
  const { revision: key, startedAt, endedAt } = session;
  const changes: SessionChange[] = [];
  if (before === undefined) {
    changes.push({ name: 'session.started', payload: { session }, key: '', at: startedAt });
  }
  changes.push(...movements(connections, session));
  if (session.state !== 'active' && (before === undefined || before.state === 'active')) {
    changes.push({ name: 'session.ended', payload: { session }, key, at: endedAt });
  }
  const isFinal = before?.state === 'settled';
  // Those who know it by its former id must learn the new one.
  if (before && (isFinal ? hasChanged(before, session) : before.sessionId !== session.sessionId)) {
    changes.push(corrected(before, session));
  }
  if (session.state === 'settled' && !isFinal) {
    changes.push({ name: 'session.settled', payload: { session }, key, at: null });
  }
  return changes;
}

const corrected = (before: Session, after: Session | null): SessionChange => ({
  name: 'session.corrected',
  payload: { before, after },
  key: after?.revision ?? `${before.revision}-gone`,
  at: null,
});

/** Whether two versions of a session differ in more than their revision. */
export const hasChanged = (before: Session, after: Session): boolean =>
  !isDeepStrictEqual({ ...before, revision: 0 }, { ...after, revision: 0 });

/** When each connection that counts ended, by its sid; `null` while it has not. */
type Leaves = ReadonlyMap<string, string | null>;

// Of all sessions of the room: an end that arrives late divides one, and what moves to the second has already been announced.
const leavesIn = (sessions: readonly Session[]): Leaves =>
  new Map(
    sessions
      .flatMap(attendances)
      .map(([, { participantSid, leftAt }]): [string, string | null] => [participantSid, leftAt]),
  );

function movements(known: Leaves, session: Session): SessionChange[] {
  const summary = summaryOf(session);
  return attendances(session).flatMap(([attendant, connection]) => {
    const { participantSid: key, joinedAt, leftAt } = connection;
    const isNew = !known.has(key);
    const isGone = leftAt !== null && !known.get(key);
    if (!isNew && !isGone) return []; // like nearly all in a large room
    const { connections: _, ...participant } = attendant;
    const payload = { session: summary, participant: { ...participant, connection } };
    const joined: SessionChange = { name: 'session.participant_joined', payload, key, at: joinedAt };
    // An inferred leave may be refuted, and another announced.
    const leave = `${key}:${session.revision}`;
    const left: SessionChange = { name: 'session.participant_left', payload, key: leave, at: leftAt };
    return [...(isNew ? [joined] : []), ...(isGone ? [left] : [])];
  });
}

/** The connections of those who count, each with its participant. */
const attendances = (session: Session): [SessionParticipant, SessionConnection][] =>
  session.participants
    .filter(({ kind }) => countedKind(kind) !== null)
    .flatMap((participant) =>
      participant.connections.map((connection): [SessionParticipant, SessionConnection] => [
        participant,
        connection,
      ]),
    );

function summaryOf({ participants: _, recordings: __, ...summary }: Session): SessionSummary {
  return summary;
}

import { isDeepStrictEqual } from 'node:util';
import type { Session, SessionConnection } from '../../../src/sessions/session.js';
import type { Webhook } from './model.js';
import { tell, type TrueConnection, type TrueSession } from './truth.js';

/**
 * What can be known of a session from some of its webhooks: connections, attempts and recordings of which any is left.
 * Of the others nobody has ever heard.
 */
export function knowable(session: TrueSession, kept: readonly Webhook[]): TrueSession {
  const sids = new Set(
    kept.flatMap(({ participant, egressInfo }) => participant?.sid ?? egressInfo?.egressId ?? []),
  );
  const joined = new Set(
    kept.flatMap(({ participant }) => (participant?.joinedAtMs === undefined ? [] : [participant.sid])),
  );
  // A leave is told to the second, and never before the join: where that is lost, to the second.
  const asLeft = (connection: TrueConnection): TrueConnection =>
    joined.has(connection.sid) || connection.leftAt === null
      ? connection
      : { ...connection, leftAt: Math.floor(connection.leftAt / 1_000) * 1_000 };
  return {
    ...session,
    connections: session.connections.filter(({ sid }) => sids.has(sid)).map(asLeft),
    attempts: session.attempts.filter((sid) => sids.has(sid)),
    recordings: session.recordings.filter(({ egressId }) => sids.has(egressId as string)),
  };
}

/** What a session states as known that is not so. `truth` is what can be known of it. */
export function wrongIn(told: Session, truth: TrueSession, kept: readonly Webhook[]): string[] {
  const truly = tell(truth);
  const hasLeft = new Set(
    kept.flatMap(({ event, participant }) => (event === 'participant_left' ? participant?.sid : [])),
  );
  const wrong: string[] = [];
  const check = (what: string, value: unknown, true_: unknown, isDoubted = false): void => {
    if (value === null || isDoubted || isDeepStrictEqual(value, true_)) return;
    wrong.push(`${what}: ${JSON.stringify(value)} is ${JSON.stringify(true_)}`);
  };
  const field = (name: keyof Session & keyof typeof truly): void =>
    check(name, told[name], truly[name], told.inferred.includes(name));

  for (const name of ['roomName', 'startedAt', 'firstJoinedAt', 'endedAt', 'endReason', 'sessionId'] as const)
    field(name);
  for (const name of ['lastLeftAt', 'durationSeconds'] as const) field(name);

  if (told.state === 'active') {
    // Whose leave was lost is there, as far as anybody tells, and what ended has ended: so is what is known now.
    const asTold = tell({
      ...truth,
      connections: truth.connections.map((one) => (hasLeft.has(one.sid) ? one : stays(one, told))),
    });
    const isLost = truth.connections.some(({ sid, leftAt }) => leftAt !== null && !hasLeft.has(sid));
    check(
      'participantSeconds',
      told.participantSeconds,
      asTold.participantSeconds,
      told.inferred.includes('participantSeconds'),
    );
    check(
      'peakParticipants',
      told.peakParticipants,
      truly.peakParticipants,
      isLost || told.inferred.includes('peakParticipants'),
    );
    check(
      'activeParticipants',
      told.activeParticipants,
      truly.activeParticipants,
      isLost || told.inferred.includes('activeParticipants'),
    );
    check('disposition', told.disposition, null);
  } else {
    for (const name of ['participantSeconds', 'peakParticipants', 'disposition'] as const) field(name);
    check('activeParticipants', told.activeParticipants, 0);
  }

  const connections = told.participants.flatMap(({ connections: theirs, ...participant }) =>
    theirs.map((one) => ({ ...participant, ...one })),
  );
  check(
    'connections',
    connections.map(({ participantSid }) => participantSid).toSorted(),
    truth.connections.map(({ sid }) => sid).toSorted(),
  );
  for (const truly_ of tell(truth).participants) {
    for (const one of truly_.connections) {
      const its = connections.find(({ participantSid }) => participantSid === one.participantSid);
      if (its === undefined) continue;
      const { participantSid: sid } = one;
      for (const name of ['identity', 'kind', 'name', 'sip'] as const)
        check(`${name} of ${sid}`, its[name], truly_[name]);
      check(`joinedAt of ${sid}`, its.joinedAt, one.joinedAt, its.inferred.includes('joinedAt'));
      check(`leftAt of ${sid}`, its.leftAt, one.leftAt, its.inferred.includes('leftAt'));
      check(`reason of ${sid}`, its.reason, one.reason);
      if (isBelow(its, one) && !told.inferred.includes('endedAt'))
        wrong.push(`leftAt of ${sid} is no bound: ${its.leftAt}`);
    }
  }

  const isFinal = new Set(
    kept.flatMap(({ event, egressInfo }) => (event === 'egress_ended' ? egressInfo?.egressId : [])),
  );
  for (const recording of truly.recordings) {
    const its = told.recordings.find(({ egressId }) => egressId === recording.egressId);
    const isOpen = told.state === 'active' || told.inferred.includes('recordings');
    if (its === undefined) wrong.push(`${recording.egressId} is missing`);
    else check(`${recording.egressId}`, its, recording, isOpen && !isFinal.has(recording.egressId as string));
  }
  return wrong;
}

/** A connection that has not left as far as is told; of one that its successor has replaced, that is known. */
function stays(connection: TrueConnection, told: Session): TrueConnection {
  const its = told.participants
    .flatMap(({ connections }) => connections)
    .find(({ participantSid }) => participantSid === connection.sid);
  return its?.leftAt == null ? { ...connection, leftAt: null, reason: null } : connection;
}

/** Whether it is said to have been gone before it was. */
const isBelow = (told: SessionConnection, truly: SessionConnection): boolean =>
  told.inferred.includes('leftAt') &&
  told.leftAt !== null &&
  (truly.leftAt === null || told.leftAt < truly.leftAt);

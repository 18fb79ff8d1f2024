import type { FoldedConnection, FoldedParticipant } from './participants.js';

/** A field of a session that may be inferred. */
export type InferredField =
  | 'joinedAt'
  | 'leftAt'
  | 'startedAt'
  | 'firstJoinedAt'
  | 'lastLeftAt'
  | 'endedAt'
  | 'durationSeconds'
  | 'participantSeconds'
  | 'peakParticipants'
  | 'activeParticipants';

interface Bounded {
  lastLeftAt: number | null;
  durationSeconds: number | null;
  participants: readonly FoldedParticipant[];
}

type Stay = Pick<FoldedConnection, 'leftAt' | 'inferred'>;

/**
 * The fields of a session that nobody reported. An inferred leave is the latest possible: if a reported one is as late, the
 * last leave is not inferred.
 *
 * @param stays of those who count.
 * @param isInferred which of these are inferred whatever its connections say.
 */
export function inferredIn(
  { lastLeftAt, durationSeconds, participants }: Bounded,
  stays: readonly Stay[],
  isInferred: { start: boolean; end: boolean; peak: boolean },
): InferredField[] {
  const connections = participants.flatMap((participant) => participant.connections);
  const isAny = (field: 'joinedAt' | 'leftAt', some: readonly Pick<FoldedConnection, 'inferred'>[]) =>
    some.some(({ inferred }) => inferred.includes(field));
  const [join, leave] = [isAny('joinedAt', stays), isAny('leftAt', stays)];
  const isLastTold = stays.some(
    ({ leftAt, inferred }) => leftAt === lastLeftAt && !inferred.includes('leftAt'),
  );
  // An inferred end, however, is not the latest time at which anybody may have left.
  const last = leave && (isInferred.end || !isLastTold);
  const found: [InferredField, boolean][] = [
    ['joinedAt', isAny('joinedAt', connections)],
    ['leftAt', isAny('leftAt', connections)],
    ['startedAt', isInferred.start],
    // Somebody whose join was not reported may have come before everybody else.
    ['firstJoinedAt', join],
    ['lastLeftAt', last],
    ['endedAt', isInferred.end],
    ['durationSeconds', durationSeconds !== null && (join || last)],
    ['participantSeconds', join || leave],
    ['peakParticipants', join || leave || isInferred.peak],
    // Somebody known only from a track may be of a kind that does not count.
    [
      'activeParticipants',
      isAny(
        'joinedAt',
        stays.filter(({ leftAt }) => leftAt === null),
      ),
    ],
  ];
  return found.flatMap(([field, isSo]) => (isSo ? [field] : []));
}

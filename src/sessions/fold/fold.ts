import type { EgressFact, RoomFact, RoomFacts, RoomFinish } from '../facts/facts.js';
import { closingTime } from './closing-time.js';
import { type InferredField, inferredIn } from './inferred.js';
import { withJoinsHere } from './moved.js';
import { type Segment, segmentsOf } from './segments.js';
import { type FoldedConnection, type FoldedParticipant, foldParticipants } from './participants.js';
import {
  COUNTED_KINDS,
  type CountedKind,
  countedKind,
  greatest,
  least,
  mostAtOnce,
  type Presence,
} from './presence.js';

/** A session as folded from its facts. Times are UTC milliseconds, `null` if unknown. */
export interface SessionFold {
  source: string;
  roomSid: string;
  roomName: string | null;
  /** Its number among the sessions of this room's sid, from 0. */
  segment: number;
  description: RoomFact['description'];
  state: 'active' | 'ended';
  /** Its time in listings: when it started, or the earliest time known of it. */
  beganAt: number;
  startedAt: number | null;
  firstJoinedAt: number | null;
  /** `null` while somebody who counts is connected. */
  lastLeftAt: number | null;
  endedAt: number | null;
  endReason: string | null;
  /** From first join to last leave; `null` while that is not known. */
  durationSeconds: number | null;
  /** Of connections that have ended. */
  participantSeconds: Record<CountedKind, number>;
  peakParticipants: number;
  /** How many identities that count are connected now. */
  activeParticipants: number;
  /** Attempts to connect that never became a connection. */
  abortedAttempts: number;
  participants: FoldedParticipant[];
  recordings: EgressFact[];
  /** The fields that nobody reported, and its other facts only bound; `joinedAt` and `leftAt` of its connections, too. */
  inferred: InferredField[];
  /** When LiveKit closes its room, unless somebody comes; `null` while it is held open, and when it has ended. */
  closesAt: number | null;
}

/** The sessions of a room's facts, in their order: one, and one more for each time the room was reopened under its sid. */
export const foldRoom = (facts: RoomFacts): SessionFold[] =>
  segmentsOf(withJoinsHere(facts)).map((segment, index) => {
    const fold = foldSegment(facts.room, segment, index);
    const finish = presumedEnd(facts.room, fold);
    return finish === null ? fold : foldSegment(facts.room, { ...segment, finish }, index);
  });

/** The end of a room found empty, while that is all that is known: anybody who was there after all refutes it. */
function presumedEnd({ finishes }: RoomFact, { closesAt }: SessionFold): RoomFinish | null {
  const isFound =
    closesAt !== null && finishes.some(({ inferred, at }) => inferred === 'empty' && at >= closesAt);
  return isFound ? { at: closesAt, endReason: null, inferred: 'empty' } : null;
}

function foldSegment(room: RoomFact, segment: Segment, index: number): SessionFold {
  const endedAt = segment.finish?.at ?? null;
  const participants = foldParticipants(
    segment.connections.filter(({ connected }) => connected),
    endedAt,
  );
  const stays = participants.flatMap(staysOf);
  const present = stays.filter(({ leftAt }) => leftAt === null);
  const firstJoinedAt = least(stays.flatMap(({ joinedAt }) => joinedAt ?? []));
  const lastLeftAt = present.length > 0 ? null : greatest(stays.flatMap(({ leftAt }) => leftAt ?? []));
  const startedAt = index === 0 ? (room.openedAt ?? least(room.starts)) : segment.openedAt;
  const session = {
    source: room.source,
    roomSid: room.roomSid,
    roomName: room.roomName,
    segment: index,
    description: room.description,
    state: endedAt === null ? ('active' as const) : ('ended' as const),
    beganAt: startedAt ?? Math.min(room.seenAt, firstJoinedAt ?? Infinity),
    startedAt,
    firstJoinedAt,
    lastLeftAt,
    endedAt,
    endReason: segment.finish?.endReason ?? null,
    durationSeconds:
      firstJoinedAt === null || lastLeftAt === null ? null : seconds(lastLeftAt - firstJoinedAt),
    participantSeconds: secondsByKind(stays),
    peakParticipants: mostAtOnce(stays.flatMap(presenceOf)),
    activeParticipants: new Set(present.map(({ identity }) => identity)).size,
    abortedAttempts: segment.connections.filter(isAbortedAttempt).length,
    participants,
    recordings: segment.egresses.toSorted(byStart),
  };
  return {
    ...session,
    inferred: inferredIn(session, stays, {
      // If nobody reported the reopening, it was when somebody joined.
      start: index > 0 && !room.starts.includes(segment.openedAt as number),
      end: segment.finish?.inferred !== undefined,
      // If nothing reports the start, all joins may be lost.
      peak: stays.length === 0 && room.starts.length === 0,
    }),
    closesAt: closingTime(room, segment, session),
  };
}

/** A connection of somebody who counts. */
interface Stay extends Pick<FoldedConnection, 'joinedAt' | 'leftAt' | 'inferred'> {
  identity: string;
  kind: CountedKind;
}

const staysOf = ({ identity, connections }: FoldedParticipant): Stay[] =>
  connections.flatMap(({ kind, joinedAt, leftAt, inferred }) => {
    const counted = countedKind(kind);
    return counted === null ? [] : [{ identity, kind: counted, joinedAt, leftAt, inferred }];
  });

/** When a connection was there; empty if its join is unknown. */
export const presenceOf = ({
  identity,
  joinedAt,
  leftAt,
}: Pick<Stay, 'identity' | 'joinedAt' | 'leftAt'>): Presence[] =>
  joinedAt === null ? [] : [{ identity, from: joinedAt, to: leftAt ?? Infinity }];

const isAbortedAttempt = ({ abort, connected, kind }: Segment['connections'][number]): boolean =>
  abort !== null && !connected && countedKind(kind) !== null;

function secondsByKind(stays: readonly Stay[]): Record<CountedKind, number> {
  const ofKind = (counted: CountedKind) =>
    stays
      .filter(({ kind }) => kind === counted)
      .reduce(
        (sum, { joinedAt, leftAt }) => sum + (leftAt === null || joinedAt === null ? 0 : leftAt - joinedAt),
        0,
      );
  return Object.fromEntries(COUNTED_KINDS.map((kind) => [kind, seconds(ofKind(kind))])) as Record<
    CountedKind,
    number
  >;
}

const byStart = (a: EgressFact, b: EgressFact): number =>
  (a.startedAt ?? a.seenAt) - (b.startedAt ?? b.seenAt) || (a.egressId < b.egressId ? -1 : 1);

const seconds = (milliseconds: number): number => milliseconds / 1000;

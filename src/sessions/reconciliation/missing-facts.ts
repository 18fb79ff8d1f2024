import type { ConnectionFact, RoomFacts } from '../facts/facts.js';
import { foldRoom, type SessionFold } from '../fold/fold.js';
import { leaveOf } from '../fold/participants.js';
import { lastToldOf, REOPENED_AFTER } from '../fold/segments.js';
import { missingEgresses } from './missing-egresses.js';
import { finishedFact, type ReconciledEvent } from './reconciled-event.js';
import { isRecent, type RoomAnswer } from './room-answer.js';
import type { ToldParticipant, ToldRoom } from './told.js';

/** What was missing from an answer for the first time: by sid, when that answer was asked for. */
export type Suspects = ReadonlyMap<string, number>;

/** What webhooks have missed of a room, according to LiveKit. */
export interface MissingFacts {
  events: ReconciledEvent[];
  /** What is missing for the first time: another round must confirm it. */
  suspects: Suspects;
}

/** What was there less than this before LiveKit was asked does not count as missing yet, milliseconds. */
const SURELY_LISTED = 10_000;

/** How long LiveKit may still list a room whose end it reported, or another under its sid (`livekit/livekit#4726`), milliseconds. */
const ENDED_FOR_NOW = 60_000;

/** Compares what is known of a room (`null` for nothing) with what LiveKit says about it. */
export function missingFacts(
  known: RoomFacts | null,
  answer: RoomAnswer,
  suspects: Suspects = new Map(),
): MissingFacts {
  const session = known === null ? undefined : foldRoom(known).at(-1);
  const { room } = answer;
  const { events, suspects: stillSuspect } =
    room === null
      ? missingEnd(known, session, answer, suspects)
      : missingLife(known, session, { ...answer, room }, suspects);
  return { events: [...events, ...missingEgresses(known, answer)], suspects: stillSuspect };
}

const NOTHING: MissingFacts = { events: [], suspects: new Map() };

type Listed = RoomAnswer & { room: ToldRoom };
type Asked = Listed & { participants: readonly ToldParticipant[] };

/** The end of a room that goes on as far as we know, but was twice not listed. */
function missingEnd(
  known: RoomFacts | null,
  session: SessionFold | undefined,
  { project, at, successorOpenedAt }: RoomAnswer,
  suspects: Suspects,
): MissingFacts {
  if (known === null || session?.state !== 'active') return NOTHING;
  const { room, connections } = known;
  const lastTold = Math.max(room.seenAt, lastToldOf(room, connections));
  const since = missingSince(room.roomSid, lastTold, at, suspects);
  if (since === 'too soon') return NOTHING;
  if (since === 'first time') return { events: [], suspects: new Map([[room.roomSid, at]]) };
  return {
    events: [
      {
        name: 'room_finished',
        project,
        room: { ...room.description?.room, sid: room.roomSid, name: room.roomName },
        subject: room.roomSid,
        fact: finishedFact(room),
        at: Math.max(Math.min(since, successorOpenedAt ?? since), lastTold),
      },
    ],
    suspects: new Map(),
  };
}

/** What is missing of a room that is listed: the room itself, and who is there. */
function missingLife(
  known: RoomFacts | null,
  session: SessionFold | undefined,
  answer: Listed,
  suspects: Suspects,
): MissingFacts {
  const { room, at, participants } = answer;
  const isActive = session === undefined || session.state === 'active';
  if (!isActive && (session.endedAt ?? 0) > at - ENDED_FOR_NOW) return NOTHING;
  if (known === null && isRecent(room.openedAt, at)) return NOTHING;
  const isNew = (known?.room.description ?? null) === null;
  const wasRefuted = !isActive && session.inferred.includes('endedAt');
  const events: ReconciledEvent[] = [];
  if (wasRefuted || (isNew && room.openedAt !== null && !isRecent(room.openedAt, at))) {
    events.push({ ...about(answer), name: 'room_started', subject: room.sid, fact: 'started', at });
  }
  if (participants === null) return { events, suspects: connectionsIn(known, suspects) };
  const asked = { ...answer, participants };
  const connections = new Map((known?.connections ?? []).map((one) => [one.participantSid, one]));
  // A room whose end LiveKit reported begins again only when somebody joins who was not there before.
  const since = isActive || wasRefuted ? -Infinity : (session.endedAt ?? 0) + REOPENED_AFTER;
  const joined = missingJoins(connections, asked, since);
  const present = isActive && session !== undefined ? presentIn(session, connections) : [];
  const left = missingLeaves(present, asked, suspects);
  return { events: [...events, ...joined, ...left.events], suspects: left.suspects };
}

/** The joins, `since` then, of those who are listed in their room but not connected as far as we know. */
function missingJoins(
  connections: ReadonlyMap<string, ConnectionFact>,
  answer: Asked,
  since: number,
): ReconciledEvent[] {
  const { at, listedAt, participants } = answer;
  const isMissing = ({ sid, isActive, joinedAt }: ToldParticipant) =>
    isActive &&
    !isRecent(joinedAt, listedAt) &&
    (joinedAt ?? at) >= since &&
    isNotKnownAsConnected(connections.get(sid), at);
  return participants.filter(isMissing).map(({ sid, json }) => ({
    ...about(answer),
    name: 'participant_joined',
    subject: sid,
    fact: 'joined',
    participant: json,
    at,
  }));
}

/** The leaves of connections that go on as far as we know, but were twice not listed in their room. */
function missingLeaves(present: readonly ConnectionFact[], answer: Asked, suspects: Suspects): MissingFacts {
  const { at, participants } = answer;
  const listed = new Set(participants.flatMap(({ sid, isGone }) => (isGone ? [] : [sid])));
  const events: ReconciledEvent[] = [];
  const stillSuspect = new Map<string, number>();
  for (const connection of present) {
    const { participantSid, joinedAt, seenAt, lastSeenAt } = connection;
    if (listed.has(participantSid)) continue;
    const lastTold = Math.max(joinedAt ?? 0, seenAt ?? 0, lastSeenAt ?? 0);
    const since = missingSince(participantSid, lastTold, at, suspects);
    if (since === 'too soon') continue;
    if (since === 'first time') {
      stillSuspect.set(participantSid, at);
      continue;
    }
    events.push({
      ...about(answer),
      name: 'participant_left',
      subject: participantSid,
      fact: 'left',
      participant: described(connection),
      // LiveKit closes a connection when another of the same identity joins (`DUPLICATE_IDENTITY`).
      at: Math.max(Math.min(since, replacedAt(connection, participants) ?? since), lastTold),
    });
  }
  return { events, suspects: stillSuspect };
}

/**
 * When something was missing for the first time, if it is now missing for the second.
 *
 * @param lastTold the last moment at which it was there, as far as we know: it may have been `too soon` to miss it.
 */
function missingSince(
  sid: string,
  lastTold: number,
  at: number,
  suspects: Suspects,
): number | 'first time' | 'too soon' {
  const first = suspects.get(sid);
  if (first !== undefined && lastTold <= first - SURELY_LISTED) return first;
  return lastTold <= at - SURELY_LISTED ? 'first time' : 'too soon';
}

// Somebody whose leave was reported is not there again: it is LiveKit's list that is late.
function isNotKnownAsConnected(connection: ConnectionFact | undefined, at: number): boolean {
  if (connection === undefined || !connection.connected) return true;
  const leave = leaveOf(connection);
  // The kind of a connection that only its tracks have shown is unknown.
  if (leave === null || leave === connection.abort) return connection.joinedAt === null;
  return leave.inferred === true && leave.at < at;
}

const presentIn = (
  { participants }: SessionFold,
  connections: ReadonlyMap<string, ConnectionFact>,
): ConnectionFact[] =>
  participants
    .flatMap((participant) => participant.connections)
    .flatMap(({ participantSid, leftAt }) =>
      leftAt === null ? (connections.get(participantSid) ?? []) : [],
    );

const replacedAt = (
  { participantSid, identity, joinedAt }: ConnectionFact,
  participants: readonly ToldParticipant[],
): number | null =>
  participants.find(
    (other) =>
      other.identity === identity &&
      other.sid !== participantSid &&
      (other.joinedAt ?? 0) >= (joinedAt ?? Infinity),
  )?.joinedAt ?? null;

const about = ({ project, room }: Listed): Pick<ReconciledEvent, 'project' | 'room'> => ({
  project,
  room: { ...room.json, sid: room.sid, name: room.name },
});

const described = ({ participantSid, identity, kind, joinedAt }: ConnectionFact): object => ({
  sid: participantSid,
  identity: identity ?? '',
  ...(kind !== null && { kind: kind.toUpperCase() }),
  ...(joinedAt !== null && { joinedAt: seconds(joinedAt), joinedAtMs: String(joinedAt) }),
});

const seconds = (time: number): string => String(Math.floor(time / 1_000));

// If the participants of a room were not asked for, those that were missing still are.
const connectionsIn = (known: RoomFacts | null, suspects: Suspects): Suspects =>
  new Map([...suspects].filter(([sid]) => sid !== known?.room.roomSid));

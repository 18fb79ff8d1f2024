import { factsOf, type FactSource } from '../../../src/sessions/facts/extract.js';
import type {
  ConnectionFact,
  EgressFact,
  EgressReport,
  RoomFact,
  RoomFacts,
} from '../../../src/sessions/facts/facts.js';
import { foldRoom, type SessionFold } from '../../../src/sessions/fold/fold.js';
import { merged } from '../../../src/sessions/projection/fact-store.js';
import type { CapturedDelivery } from '../../support/captures.js';

/** A room of which nothing but its name and the first event's time is known, unless told. */
export const roomFact = (known: Partial<RoomFact> = {}): RoomFact => ({
  source: 'default',
  roomSid: 'RM_1',
  roomName: 'call',
  openedAt: null,
  starts: [],
  listedAt: null,
  finishes: [],
  description: null,
  seenAt: 0,
  ...known,
});

/** A standard participant's connection that has neither a join nor a leave, unless told. */
export const connectionFact = (known: Partial<ConnectionFact> = {}): ConnectionFact => ({
  source: 'default',
  roomSid: 'RM_1',
  participantSid: 'PA_1',
  identity: 'ann',
  kind: 'standard',
  connected: true,
  seenAt: null,
  lastSeenAt: null,
  joinedAt: null,
  leave: null,
  abort: null,
  name: null,
  attributes: null,
  ...known,
});

/** A connection by its sid, from a join to a leave. */
export const stay = (
  participantSid: string,
  joinedAt: number | null,
  leftAt: number | null,
  known: Partial<ConnectionFact> = {},
): ConnectionFact =>
  connectionFact({
    participantSid,
    identity: participantSid,
    joinedAt,
    leave:
      leftAt === null ? null : { at: leftAt, reason: 'CLIENT_INITIATED', eventId: `EV_${participantSid}` },
    ...known,
  });

/** A recording that goes on, unless told. */
export const recording = (
  egressId: string,
  report: Partial<EgressReport> = {},
  known: Partial<EgressFact> = {},
): EgressFact => ({
  source: 'default',
  egressId,
  roomSid: 'RM_1',
  seenAt: 0,
  startedAt: null,
  report: {
    progress: 1,
    updatedAt: 0,
    eventId: 'EV_1',
    status: 'active',
    endedAt: null,
    error: null,
    files: [],
    segments: [],
    streams: [],
    ...report,
  },
  ...known,
});

/** The sessions that a room and its connections make, without egresses. */
export const foldsOf = (room: Partial<RoomFact>, ...connections: ConnectionFact[]): SessionFold[] =>
  foldRoom({ room: roomFact(room), connections, egresses: [] });

/** The first of them. */
export const foldOf = (room: Partial<RoomFact>, ...connections: ConnectionFact[]): SessionFold =>
  foldsOf(room, ...connections)[0] as SessionFold;

/** The connections that a session has. */
export const sidsOf = (session: SessionFold | undefined): string[] | undefined =>
  session?.participants.flatMap(({ connections }) => connections.map(({ participantSid }) => participantSid));

/** A captured delivery as the projection reads it. */
export function eventOf({ body }: Pick<CapturedDelivery, 'body'>): FactSource {
  const json = JSON.parse(body) as { id: string; event: string; createdAt: string };
  return {
    source: 'default',
    eventId: json.id,
    name: json.event,
    occurredAt: Number(json.createdAt) * 1000,
    body: json,
  };
}

/** Facts of events, merged one by one in the order that is given. */
export const mergedFacts = (events: readonly FactSource[]): RoomFacts[] =>
  events.reduce<RoomFacts[]>((known, event) => merged(known, factsOf(event)).after, []);

/** The sessions that events make, by room sid and segment. */
export const sessionsOf = (events: readonly FactSource[]): SessionFold[] =>
  mergedFacts(events)
    .toSorted((a, b) => (a.room.roomSid < b.room.roomSid ? -1 : 1))
    .flatMap(foldRoom);

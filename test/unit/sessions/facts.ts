import { factsOf, type FactSource } from '../../../src/sessions/facts/extract.js';
import type { ConnectionFact, Facts, RoomFact } from '../../../src/sessions/facts/facts.js';
import { foldRoom, type SessionFold } from '../../../src/sessions/facts/fold.js';
import { mergeConnection, mergeRoom } from '../../../src/sessions/facts/merge.js';
import type { CapturedDelivery } from '../../support/captures.js';

/** A room of which nothing but its name and the first event's time is known, unless told. */
export const roomFact = (known: Partial<RoomFact> = {}): RoomFact => ({
  source: 'default',
  roomSid: 'RM_1',
  roomName: 'call',
  openedAt: null,
  starts: [],
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
  joinedAt: null,
  leave: null,
  abort: null,
  name: null,
  attributes: null,
  ...known,
});

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
export function mergedFacts(events: readonly FactSource[]): Facts {
  const rooms = new Map<string, RoomFact>();
  const connections = new Map<string, ConnectionFact>();
  for (const facts of events.map((event) => factsOf(event))) {
    for (const fact of facts.rooms) {
      const known = rooms.get(fact.roomSid);
      rooms.set(fact.roomSid, known === undefined ? fact : mergeRoom(known, fact));
    }
    for (const fact of facts.connections) {
      const key = `${fact.roomSid}/${fact.participantSid}`;
      const known = connections.get(key);
      connections.set(key, known === undefined ? fact : mergeConnection(known, fact));
    }
  }
  return { rooms: [...rooms.values()], connections: [...connections.values()] };
}

/** The sessions that events make, by room sid and segment. */
export function sessionsOf(events: readonly FactSource[]): SessionFold[] {
  const { rooms, connections } = mergedFacts(events);
  return rooms
    .toSorted((a, b) => (a.roomSid < b.roomSid ? -1 : 1))
    .flatMap((room) =>
      foldRoom(
        room,
        connections.filter(({ roomSid }) => roomSid === room.roomSid),
      ),
    );
}

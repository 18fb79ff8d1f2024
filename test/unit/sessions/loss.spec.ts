import { EgressInfo, ParticipantInfo, Room } from 'livekit-server-sdk';
import { merged } from '../../../src/sessions/projection/fact-store.js';
import { factsOf, type FactSource } from '../../../src/sessions/facts/extract.js';
import type { RoomFacts } from '../../../src/sessions/facts/facts.js';
import { foldRoom, type SessionFold } from '../../../src/sessions/fold/fold.js';
import { missingFacts, type Suspects } from '../../../src/sessions/reconciliation/missing-facts.js';
import {
  type ReconciledEvent,
  reconciledDraft,
} from '../../../src/sessions/reconciliation/reconciled-event.js';
import { toldEgress, toldParticipant, toldRoom } from '../../../src/sessions/reconciliation/told.js';
import { type CapturedDelivery, deliveries, scenarios } from '../../support/captures.js';
import { LivekitWorld } from '../../support/livekit-world.js';
import { eventOf } from './facts.js';

/** Between two rounds, milliseconds. */
const INTERVAL = 5_000;

/** How long after the last webhook LiveKit is asked on, milliseconds. */
const AFTERWARDS = 60_000;

/** How late a round may know of an end: two rounds, the seconds after which somebody is missed, and a webhook's whole second. */
const LATE = 2 * INTERVAL + 10_000 + 1_000;

/** What there is to ask for in no way: LiveKit forgets an attempt that has come to nothing. */
const UNASKABLE = new Set(['participant_connection_aborted']);

/** Plays a call at facts, asking all the while. */
class Play {
  facts: RoomFacts[] = [];
  readonly added: ReconciledEvent[] = [];
  private readonly suspects = new Map<string, Suspects>();

  constructor(recorded: readonly CapturedDelivery[], dropped?: string) {
    const world = new LivekitWorld();
    const times = recorded.map(({ receivedAt }) => Date.parse(receivedAt));
    const end = Math.max(...times) + AFTERWARDS;
    let next = 0;
    for (let now = Math.min(...times); now <= end; now += INTERVAL) {
      for (; next < recorded.length && (times[next] as number) <= now; next += 1) {
        const delivery = recorded[next] as CapturedDelivery;
        world.happen(delivery);
        if (delivery.body !== dropped) this.take(eventOf(delivery));
      }
      this.ask(world, now);
    }
  }

  get sessions(): SessionFold[] {
    return this.facts.toSorted((a, b) => (a.room.roomSid < b.room.roomSid ? -1 : 1)).flatMap(foldRoom);
  }

  private take(event: FactSource): void {
    this.facts = merged(this.facts, factsOf(event)).after;
  }

  private ask(world: LivekitWorld, at: number): void {
    const rooms = [...world.rooms.values()].map((room) => toldRoom(Room.fromJson(room as never, LENIENT)));
    const egresses = [...world.egresses.values()].map((one) =>
      toldEgress(EgressInfo.fromJson(one as never, LENIENT)),
    );
    const known = new Map(this.facts.map((facts) => [facts.room.roomSid, facts]));
    for (const roomSid of new Set([...known.keys(), ...rooms.map(({ sid }) => sid)])) {
      const facts = known.get(roomSid) ?? null;
      const room = rooms.find(({ sid }) => sid === roomSid) ?? null;
      const successor = rooms.find(({ sid, name }) => sid !== roomSid && name === facts?.room.roomName);
      const missing = missingFacts(
        facts,
        {
          project: 'default',
          roomSid,
          at,
          listedAt: at,
          room,
          participants:
            room &&
            world
              .participantsOf(roomSid)
              .map((one) => toldParticipant(ParticipantInfo.fromJson(one as never, LENIENT))),
          egresses: egresses.filter((egress) => egress.roomSid === roomSid),
          successorOpenedAt: successor?.openedAt ?? null,
        },
        this.suspects.get(roomSid),
      );
      this.suspects.set(roomSid, missing.suspects);
      this.added.push(...missing.events);
      for (const event of missing.events) this.take(reconciled(event));
    }
  }
}

const LENIENT = { ignoreUnknownFields: true };

function reconciled(event: ReconciledEvent): FactSource {
  const { id, name, occurredAt, data } = reconciledDraft(event);
  return {
    source: 'default',
    eventId: id ?? '',
    name,
    occurredAt: occurredAt ?? 0,
    body: data,
    reconciled: true,
  };
}

const isLate = (value: number | null, truth: number | null): boolean =>
  value !== null && truth !== null && value >= truth - 1_000 && value <= truth + LATE;

/** What polling can know of a session agrees with the whole call, and what it can't is marked. */
function expectRepaired(session: SessionFold, truth: SessionFold): void {
  expect({ ...session, state: truth.state }).toMatchObject({
    roomName: truth.roomName,
    segment: truth.segment,
    startedAt: truth.startedAt,
    state: truth.state,
  });
  if (session.inferred.includes('endedAt')) expect(isLate(session.endedAt, truth.endedAt)).toBe(true);
  else expect(session.endedAt).toBe(truth.endedAt);
  // Tracks alone do not tell the kind of whose they are.
  const kinds = new Map(truth.participants.map(({ identity, kind }) => [identity, kind]));
  expect(session.participants.map(({ identity, kind }) => [identity, kind ?? kinds.get(identity)])).toEqual([
    ...kinds,
  ]);
  const isBrief = (truth.endedAt ?? Infinity) - truth.beganAt < 5_000;
  const [found, real] = [session, truth].map(({ participants }) =>
    participants.flatMap(({ connections }) => connections),
  );
  expect(found?.map(({ participantSid }) => participantSid)).toEqual(
    real?.map(({ participantSid }) => participantSid),
  );
  for (const [n, connection] of (found ?? []).entries()) {
    const { joinedAt, leftAt, reason } = real?.[n] ?? { joinedAt: null, leftAt: null, reason: null };
    // Nobody could ask about a room that was there for less than five seconds: then the join is marked.
    if (!isBrief || !connection.inferred.includes('joinedAt')) expect(connection.joinedAt).toBe(joinedAt);
    if (connection.inferred.includes('leftAt')) expect(isLate(connection.leftAt, leftAt)).toBe(true);
    else expect([connection.leftAt, connection.reason]).toEqual([leftAt, reason]);
  }
  expect(session.recordings.map(({ egressId, report }) => [egressId, report.status])).toEqual(
    truth.recordings.map(({ egressId, report }) => [egressId, report.status]),
  );
}

describe.each(scenarios())('a webhook of %s that is lost', (scenario) => {
  const recorded = deliveries(scenario);
  const whole = new Play(recorded);

  test('is the only thing that is added', () => {
    // The crashed server never told the end of its first room.
    const owed = scenario === 'livekit-crashed' ? ['room_finished'] : [];
    expect(whole.added.map(({ name }) => name)).toEqual(owed);
  });

  const bodies = [...new Set(recorded.map(({ body }) => body))];
  const named = bodies.map((body, n): [string, string] => [`${n + 1}, ${JSON.parse(body).event}`, body]);

  test.each(named.filter(([, body]) => !UNASKABLE.has(JSON.parse(body).event as string)))(
    'is repaired: %s',
    (_, dropped) => {
      const { sessions } = new Play(recorded, dropped);
      const truths = whole.sessions;
      expect(sessions.map(({ roomSid }) => roomSid)).toEqual(truths.map(({ roomSid }) => roomSid));
      for (const [n, session] of sessions.entries()) expectRepaired(session, truths[n] as SessionFold);
    },
  );
});

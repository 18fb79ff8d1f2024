import fc from 'fast-check';
import { foldRoom } from '../../../src/sessions/fold/fold.js';
import { deliveries, scenarios } from '../../support/captures.js';
import { eventOf, sessionsOf } from '../../unit/sessions/facts.js';
import { connectionFacts, roomFacts, runs } from './arbitraries.js';

it.each(scenarios())('the sessions of %s do not depend on order or repeats', (scenario) => {
  const events = deliveries(scenario).map(eventOf);
  const inOrder = sessionsOf(events);
  const arrivals = fc
    .array(fc.constantFrom(...events), { maxLength: events.length })
    .chain((repeats) =>
      fc.shuffledSubarray([...events, ...repeats], { minLength: events.length + repeats.length }),
    );
  fc.assert(
    fc.property(arrivals, (arrived) => expect(sessionsOf(arrived)).toEqual(inOrder)),
    runs(30),
  );
});

const connections = fc.uniqueArray(connectionFacts('PA_2', 'PA_3', 'PA_4', 'PA_5'), {
  selector: ({ participantSid }) => participantSid,
});

describe('the sessions of any room', () => {
  it('do not depend on the order its connections are given in', () => {
    const shuffled = connections.chain((some) =>
      fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length })),
    );
    fc.assert(
      fc.property(roomFacts, shuffled, (room, [some, others]) =>
        expect(foldRoom({ room, connections: others, egresses: [] })).toEqual(
          foldRoom({ room, connections: some, egresses: [] }),
        ),
      ),
      runs(500),
    );
  });

  it('hold every connection that was ever connected once, and all but the last have ended', () => {
    fc.assert(
      fc.property(roomFacts, connections, (room, some) => {
        const sessions = foldRoom({ room, connections: some, egresses: [] });
        const listed = sessions.flatMap(({ participants }) =>
          participants.flatMap((participant) => participant.connections.map((one) => one.participantSid)),
        );
        const connected = some.filter((one) => one.connected).map((one) => one.participantSid);
        expect(listed.toSorted()).toEqual(connected.toSorted());
        expect(sessions.slice(0, -1).every(({ state }) => state === 'ended')).toBe(true);
      }),
      runs(500),
    );
  });

  it('begin a second or more after the end of the one before', () => {
    fc.assert(
      fc.property(roomFacts, connections, (room, some) => {
        const sessions = foldRoom({ room, connections: some, egresses: [] });
        sessions.slice(1).forEach(({ startedAt }, nth) => {
          expect(startedAt as number).toBeGreaterThanOrEqual((sessions[nth]?.endedAt as number) + 1_000);
        });
      }),
      runs(500),
    );
  });

  it('have figures that agree with one another', () => {
    fc.assert(
      fc.property(roomFacts, connections, (room, some) => {
        for (const session of foldRoom({ room, connections: some, egresses: [] })) {
          expect(session.durationSeconds ?? 0).toBeGreaterThanOrEqual(0);
          expect(session.peakParticipants).toBeLessThanOrEqual(session.participants.length);
          for (const seconds of Object.values(session.participantSeconds))
            expect(seconds).toBeGreaterThanOrEqual(0);
          if (session.state === 'ended') expect(session.activeParticipants).toBe(0);
          if (session.activeParticipants > 0) expect(session.lastLeftAt).toBeNull();
        }
      }),
      runs(500),
    );
  });
});

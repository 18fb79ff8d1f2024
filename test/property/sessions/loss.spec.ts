import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import type { Session } from '../../../src/sessions/session.js';
import { deliveries, scenarios } from '../../support/captures.js';
import { LONG, runs } from './arbitraries.js';
import { knowable, wrongIn } from './loss.js';
import { histories, type History, roomSidOf, type Webhook } from './model.js';
import { settledSessions } from './settled.js';
import { tell, type TrueConnection, type TrueSession } from './truth.js';

const RUNS = runs(300, 10_000);

/** How late LiveKit finds an empty room, in whole seconds, milliseconds. */
const CLOSES_WITHIN = 2_500;

describe('a history of which some is lost', () => {
  it(
    'states nothing as known that is not so',
    () => {
      fc.assert(
        fc.property(losing(histories({ crashes: true })), ([history, kept]) =>
          expect(wrongOf(history, kept)).toEqual([]),
        ),
        RUNS,
      );
    },
    LONG,
  );

  it(
    'has its rooms end no sooner than LiveKit closed them, where nothing but their ends is',
    () => {
      fc.assert(
        fc.property(histories(), ({ webhooks, sessions }) => {
          const told = settledSessions(webhooks.filter(({ event }) => event !== 'room_finished'));
          for (const { roomSid, endedAt } of sessions) {
            const its = told.find((one) => one.roomSid === roomSid)?.endedAt ?? null;
            if (its !== null && endedAt !== null)
              expect(Date.parse(its)).toBeGreaterThanOrEqual(endedAt - CLOSES_WITHIN);
          }
        }),
        RUNS,
      );
    },
    LONG,
  );

  // Without an end, and a start after it, nothing tells that a room was opened again; nor does what an egress tells that was
  // requested in one session and given up in the next.
  it(
    'nor does one in which rooms were opened again, where their ends and openings are not lost',
    () => {
      fc.assert(
        fc.property(losing(histories({ reopens: true }), /^room_|^egress_started/), ([history, kept]) =>
          expect(wrongOf(history, kept)).toEqual([]),
        ),
        RUNS,
      );
    },
    LONG,
  );
});

describe('a recorded call of which some is lost', () => {
  const recorded = scenarios().map((scenario) => ({ scenario, history: recordedHistory(scenario) }));

  test.each(recorded)('$scenario is read as it is expected, when nothing is', ({ scenario, history }) => {
    expect(history.sessions.map(tell)).toEqual(expectedOf(scenario));
  });

  test.each(recorded)('$scenario states nothing as known that is not so, whichever one is', ({ history }) => {
    for (const lost of history.webhooks) {
      const kept = history.webhooks.filter((one) => one !== lost);
      expect({ lost: lost.event, wrong: wrongOf(history, kept) }).toEqual({ lost: lost.event, wrong: [] });
    }
  });

  test.each(recorded)('$scenario ends in the second in which it did, where its end is', ({ history }) => {
    const told = settledSessions(history.webhooks.filter(({ event }) => event !== 'room_finished'));
    for (const { roomSid, endedAt } of history.sessions) {
      const its = told.find((one) => one.roomSid === roomSid)?.endedAt ?? null;
      expect(its && Math.floor(Date.parse(its) / 1_000)).toBe(endedAt && endedAt / 1_000);
    }
  });

  it(
    'states nothing as known that is not so, whichever two are, or more',
    () => {
      const some = fc
        .constantFrom(...recorded)
        .chain(({ scenario, history }) => fc.tuple(fc.constant(scenario), losing(fc.constant(history))));
      fc.assert(
        fc.property(some, ([, [history, kept]]) => expect(wrongOf(history, kept)).toEqual([])),
        RUNS,
      );
    },
    LONG,
  );
});

/** A history, and what is left of its webhooks; those whose name `keeps` meets are. */
const losing = (all: fc.Arbitrary<History>, keeps?: RegExp): fc.Arbitrary<[History, Webhook[]]> =>
  all.chain((history) => {
    const isKept = ({ event }: Webhook) => keeps?.test(event) ?? false;
    const few = fc.subarray(history.webhooks, { maxLength: Math.min(2, history.webhooks.length) });
    const many = fc.subarray(history.webhooks);
    return fc.oneof(few, many).map((lost): [History, Webhook[]] => {
      const gone = new Set(lost.filter((one) => !isKept(one)));
      return [history, history.webhooks.filter((one) => !gone.has(one))];
    });
  });

function wrongOf({ sessions }: History, kept: readonly Webhook[]): string[] {
  const told = settledSessions(kept);
  const rooms = new Set(kept.map(roomSidOf));
  return sessions
    .filter(({ roomSid }) => rooms.has(roomSid))
    .flatMap((session) => {
      const its = told.find(
        ({ roomSid, segment }) => roomSid === session.roomSid && segment === session.segment,
      );
      const name = `${session.roomSid}/${session.segment}`;
      const wrong = its === undefined ? ['it is missing'] : wrongIn(its, knowable(session, kept), kept);
      return wrong.map((what) => `${name}: ${what}`);
    });
}

function expectedOf(scenario: string): Omit<Session, 'revision'>[] {
  const file = readFileSync(`test/integration/sessions/captured-sessions/${scenario}.json`, 'utf8');
  const { sessions } = JSON.parse(file) as { sessions: { session: Omit<Session, 'revision'> }[] };
  return sessions.map(({ session }) => session);
}

/** A recorded call as a history: what was is what is expected of it. */
function recordedHistory(scenario: string): History {
  const bodies = deliveries(scenario).map(({ body }) => JSON.parse(body) as Webhook);
  const webhooks = [...new Map(bodies.map((body) => [body.id, body])).values()];
  const sessions = expectedOf(scenario).map((session): TrueSession => {
    const time = (at: string | null) => (at === null ? null : Date.parse(at));
    const attempts = webhooks.filter(
      (one) => one.event === 'participant_connection_aborted' && roomSidOf(one) === session.roomSid,
    );
    return {
      roomSid: session.roomSid,
      roomName: session.roomName as string,
      segment: session.segment,
      startedAt: time(session.startedAt) as number,
      endedAt: time(session.endedAt),
      endReason: session.endReason,
      connections: session.participants.flatMap(({ identity, name, kind, sip, connections }) =>
        connections.map(({ participantSid: sid, joinedAt, leftAt, reason }): TrueConnection => ({
          sid,
          identity,
          name,
          kind: kind as string,
          sip,
          reason,
          joinedAt: time(joinedAt) as number,
          leftAt: time(leftAt),
        })),
      ),
      attempts: attempts.map(({ participant }) => participant?.sid as string),
      recordings: session.recordings,
    };
  });
  return { webhooks, sessions };
}

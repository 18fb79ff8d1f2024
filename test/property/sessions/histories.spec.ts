import fc from 'fast-check';
import type { Session } from '../../../src/sessions/session.js';
import { LONG, runs } from './arbitraries.js';
import { histories, type History, type Webhook } from './model.js';
import { settledSessions } from './settled.js';
import { tell, type TrueSession } from './truth.js';

const RUNS = runs(300, 10_000);

/** Webhooks in any order, some of them again. */
const arrivals = (webhooks: readonly Webhook[]): fc.Arbitrary<Webhook[]> =>
  fc
    .subarray([...webhooks])
    .chain((again) =>
      fc.shuffledSubarray([...webhooks, ...again], { minLength: webhooks.length + again.length }),
    );

const arrived = (all: fc.Arbitrary<History>): fc.Arbitrary<[History, Webhook[]]> =>
  all.chain((history) => fc.tuple(fc.constant(history), arrivals(history.webhooks)));

const told = (webhooks: readonly Webhook[]): Omit<Session, 'revision'>[] =>
  settledSessions(webhooks).map(({ revision: _, ...session }) => session);

const trueSessions = ({ sessions }: History): TrueSession[] =>
  sessions.toSorted((a, b) =>
    a.roomSid < b.roomSid ? -1 : a.roomSid > b.roomSid ? 1 : a.segment - b.segment,
  );

describe('the sessions of any history of calls', () => {
  it(
    'are the true ones, in whatever order it is told',
    () => {
      fc.assert(
        fc.property(arrived(histories({ reopens: true, callsBack: true })), ([history, webhooks]) =>
          expect(told(webhooks)).toEqual(trueSessions(history).map(tell)),
        ),
        RUNS,
      );
    },
    LONG,
  );

  it(
    'do not depend on the order in which it is told, whatever is lost in a crash',
    () => {
      fc.assert(
        fc.property(arrived(histories({ reopens: true, crashes: true })), ([history, webhooks]) =>
          expect(told(webhooks)).toEqual(told(history.webhooks)),
        ),
        RUNS,
      );
    },
    LONG,
  );

  it(
    'have figures that agree with one another',
    () => {
      fc.assert(
        fc.property(histories({ reopens: true, crashes: true }), ({ webhooks }) => {
          for (const session of settledSessions(webhooks)) agree(session);
        }),
        RUNS,
      );
    },
    LONG,
  );
});

function agree(session: Session): void {
  const connections = session.participants
    .filter(({ kind }) => kind !== 'egress' && kind !== 'ingress')
    .flatMap((participant) => participant.connections);
  const lengths = connections.map(({ joinedAt, leftAt }) =>
    joinedAt === null || leftAt === null ? 0 : (Date.parse(leftAt) - Date.parse(joinedAt)) / 1_000,
  );
  for (const length of lengths) expect(length).toBeGreaterThanOrEqual(0);
  const { standard, agent, sip } = session.participantSeconds;
  expect(standard + agent + sip).toBeCloseTo(
    lengths.reduce((sum, length) => sum + length, 0),
    6,
  );
  if (session.durationSeconds !== null) {
    for (const length of lengths) expect(length).toBeLessThanOrEqual(session.durationSeconds + 1e-9);
    expect(session.durationSeconds).toBeGreaterThanOrEqual(0);
  }
  expect(session.peakParticipants).toBeLessThanOrEqual(session.participants.length);
  expect(session.peakParticipants).toBeGreaterThanOrEqual(Math.min(1, connections.length));
}

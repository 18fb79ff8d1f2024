import type { FoldedConnection } from '../../../src/sessions/fold/participants.js';
import { deliveries, scenarios, truth } from '../../support/captures.js';
import { eventOf, sessionsOf } from './facts.js';

/** A connection as the sessions tell it, with whose it is and where. */
interface ToldConnection extends FoldedConnection {
  room: string | null;
  identity: string;
}

/** Connections that webhooks tell and no client does, each looked at: why the truth lacks it. */
const UNTOLD_BY_CLIENTS: Record<string, string> = {
  PA_FU7jSkXMifbF: 'caller-vanished: the client was killed, and its truth tells the kill alone',
  PA_CWi5zow729q7:
    'livekit-crashed: the first caller came back 2 s after the crash; its truth tells its first join alone',
};

const sessionsIn = (scenario: string) => sessionsOf(deliveries(scenario).map(eventOf));

const connectionsIn = (scenario: string): ToldConnection[] =>
  sessionsIn(scenario).flatMap(({ roomName, participants }) =>
    participants.flatMap(({ identity, connections }) =>
      connections.map((connection) => ({ ...connection, identity, room: roomName })),
    ),
  );

const timesOf = (scenario: string, what: string, room: string | null, identity: string): number[] =>
  truth(scenario)
    .filter((line) => line.what === what && line.room === room && line.identity === identity)
    .map(({ at }) => Date.parse(at))
    .sort((a, b) => a - b);

const apart = (a: number | null | undefined, b: number): number => Math.abs((a ?? Infinity) - b);

describe.each(scenarios())('the sessions of %s', (scenario) => {
  const told = connectionsIn(scenario);
  const joins = truth(scenario).filter(({ what }) => what === 'joined');

  it('have every join that a client tells, within a second', () => {
    for (const { sid, identity, room, at } of joins) {
      const connection = told.find(({ participantSid }) => participantSid === sid);
      expect(connection).toMatchObject({ identity, room });
      expect(apart(connection?.joinedAt, Date.parse(at))).toBeLessThan(1_000);
    }
  });

  it("have every client's own leave, within a second and a half", () => {
    const own = told.filter(({ reason }) => reason === 'CLIENT_INITIATED');
    for (const { room, identity } of own) {
      const theirs = own.filter((other) => other.room === room && other.identity === identity);
      const leaves = theirs.map(({ leftAt }) => leftAt as number).sort((a, b) => a - b);
      const truly = timesOf(scenario, 'left', room, identity);
      expect(truly).toHaveLength(leaves.length);
      truly.forEach((at, nth) => expect(apart(leaves[nth], at)).toBeLessThan(1_500));
    }
  });

  it('have no leave of a client but those, and those that LiveKit imposed before it', () => {
    for (const { room, identity, at } of truth(scenario).filter(({ what }) => what === 'left')) {
      const theirs = told.filter((one) => one.room === room && one.identity === identity);
      const known = theirs.some(
        ({ reason, leftAt }) =>
          leftAt !== null &&
          (reason === 'CLIENT_INITIATED'
            ? apart(leftAt, Date.parse(at as string)) < 1_500
            : leftAt <= Date.parse(at as string)),
      );
      expect({ room, identity, known }).toEqual({ room, identity, known: true });
    }
  });

  it('have every leave that LiveKit imposed at the second its webhook tells', () => {
    const leaves = deliveries(scenario)
      .map(({ body }) => JSON.parse(body))
      .filter(({ event }) => event === 'participant_left');
    for (const { participantSid, leftAt, reason } of told) {
      if (reason === null || reason === 'CLIENT_INITIATED') continue;
      const leave = leaves.find(({ participant }) => participant.sid === participantSid);
      expect(leftAt).toBe(Number(leave.createdAt) * 1_000);
      expect(reason).toBe(leave.participant.disconnectReason);
    }
  });
});

it('tell no connection that no client tells, but the reviewed ones', () => {
  const untold = scenarios().flatMap((scenario) => {
    const sids = new Set(truth(scenario).map(({ sid }) => sid));
    return connectionsIn(scenario)
      .map(({ participantSid }) => participantSid)
      .filter((sid) => !sids.has(sid));
  });
  expect(untold.toSorted()).toEqual(Object.keys(UNTOLD_BY_CLIENTS).toSorted());
});

it('take the join that a receiver refused from the leave', () => {
  const taken = deliveries('receiver-refused').filter(({ answered }) => answered !== 400);
  expect(taken.map(eventOf).map(({ name }) => name)).not.toContain('participant_joined');
  const join = truth('receiver-refused').find(({ what }) => what === 'joined');
  const [session] = sessionsOf(taken.map(eventOf));
  const connection = session?.participants[0]?.connections[0];
  expect(connection?.participantSid).toBe(join?.sid);
  expect(apart(connection?.joinedAt, Date.parse(join?.at as string))).toBeLessThan(1_000);
});

it('tell the figures of a call of two parties, joins to the millisecond and leaves to the second', () => {
  expect(sessionsIn('two-party-call')).toMatchObject([
    {
      roomSid: 'RM_ZP36R4UfruiF',
      state: 'ended',
      startedAt: Date.parse('2026-11-23T08:48:48.435Z'),
      durationSeconds: 5.565,
      participantSeconds: { standard: 4.399, agent: 5.565, sip: 0 },
      peakParticipants: 2,
    },
  ]);
});

it.each([
  ['nobody-came', { participants: [], durationSeconds: null, peakParticipants: 0 }],
  ['connection-aborted', { abortedAttempts: 1, peakParticipants: 1 }],
  ['duplicate-identity', { peakParticipants: 2 }],
  ['leave-and-return', { peakParticipants: 2 }],
  ['sip-caller', { peakParticipants: 2 }],
])('tell %s as one ended session', (scenario, figures) => {
  const sessions = sessionsIn(scenario);
  expect(sessions).toHaveLength(1);
  expect(sessions[0]).toMatchObject({ state: 'ended', ...figures });
});

it.each([
  ['reused-room-name', ['ended', 'ended']],
  ['livekit-crashed', ['active', 'ended']],
])('tell the two room sids of %s apart', (scenario, states) => {
  const sessions = sessionsIn(scenario).toSorted((a, b) => a.beganAt - b.beganAt);
  expect(sessions.map(({ state }) => state)).toEqual(states);
  expect(new Set(sessions.map(({ roomName }) => roomName)).size).toBe(1);
});

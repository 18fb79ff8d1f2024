import { foldRoom } from '../../../src/sessions/fold/fold.js';
import { connectionFact, foldOf, foldsOf, recording, roomFact, sidsOf, stay } from './facts.js';

const SECOND = 1_000;
const finish = (at: number, endReason: string | null = null) => ({ at, endReason });

describe('the state of a session', () => {
  it('is active from the first fact of its room, whatever that is', () => {
    expect(foldOf({ seenAt: 7 })).toMatchObject({
      state: 'active',
      beganAt: 7,
      startedAt: null,
      endedAt: null,
    });
  });

  it('is ended by room_finished, with its reason', () => {
    expect(foldOf({ openedAt: 5, finishes: [finish(9, 'ROOM_END_API_DELETE')] })).toMatchObject({
      state: 'ended',
      startedAt: 5,
      endedAt: 9,
      endReason: 'ROOM_END_API_DELETE',
    });
  });
});

describe('the segments of a room sid', () => {
  const finishes = [finish(10 * SECOND)];

  it('are one more when a join lies a second or more after the end', () => {
    const [first, second, third] = foldsOf(
      { openedAt: 1, finishes },
      stay('PA_1', 2 * SECOND, 9 * SECOND),
      stay('PA_2', 11 * SECOND, 15 * SECOND),
    );
    expect(first).toMatchObject({ segment: 0, state: 'ended', startedAt: 1, endedAt: 10 * SECOND });
    expect(second).toMatchObject({ segment: 1, state: 'active', startedAt: 11 * SECOND, endedAt: null });
    expect([sidsOf(first), sidsOf(second), third]).toEqual([['PA_1'], ['PA_2'], undefined]);
  });

  it('are one more when a room_started lies a second or more after the end', () => {
    expect(foldsOf({ starts: [1, 11 * SECOND], finishes })).toHaveLength(2);
  });

  it('stay one when a join or a start lies less than a second after the end', () => {
    const late = 11 * SECOND - 1;
    expect(foldsOf({ starts: [late], finishes }, stay('PA_1', late, null))).toHaveLength(1);
  });

  it('take an end that is told again for the same end', () => {
    const [first, second] = foldsOf({ starts: [1], finishes: [...finishes, finish(20 * SECOND)] });
    expect(first?.endedAt).toBe(10 * SECOND);
    expect(second).toBeUndefined();
  });

  it('go on to the end that is told later, where the room was opened again within the second of its end', () => {
    // LiveKit 1.13.5, of a room that is deleted while it is made anew: started, finished, started in one second.
    const again = stay('PA_2', 10 * SECOND + 400, 58 * SECOND);
    const people = [stay('PA_1', 2 * SECOND, 10 * SECOND), again];
    const [first, second] = foldsOf(
      { starts: [1, 10 * SECOND], finishes: [...finishes, finish(60 * SECOND)] },
      ...people,
    );
    expect(first).toMatchObject({ endedAt: 60 * SECOND, lastLeftAt: 58 * SECOND, inferred: [] });
    expect(second).toBeUndefined();
    expect(foldOf({ finishes }, ...people).endedAt).toBe(10 * SECOND);
  });

  it('end by their first end, though a leave is told in the second after it', () => {
    const ends = [...finishes, finish(20 * SECOND)];
    expect(foldOf({ finishes: ends }, stay('PA_1', 1, 11 * SECOND)).endedAt).toBe(10 * SECOND);
  });

  it('end each by the first end after it began', () => {
    const ends = [10, 20, 21, 30].map((at) => finish(at * SECOND));
    const sessions = foldsOf({ starts: [1, 15 * SECOND, 25 * SECOND], finishes: ends });
    expect(sessions.map(({ endedAt }) => endedAt)).toEqual([10, 20, 30].map((at) => at * SECOND));
  });

  it('end by an end that is told for the very second in which they began', () => {
    const sessions = foldsOf({ starts: [1, 15 * SECOND], finishes: [...finishes, finish(15 * SECOND)] });
    expect(sessions.map(({ endedAt }) => endedAt)).toEqual([10 * SECOND, 15 * SECOND]);
  });

  it('end by an end that seems to come before the join that began them, told in whole seconds', () => {
    const again = stay('PA_1', 15 * SECOND + 700, 15 * SECOND);
    const sessions = foldsOf({ finishes: [...finishes, finish(15 * SECOND)] }, again);
    expect(sessions.map(({ endedAt }) => endedAt)).toEqual([10 * SECOND, 15 * SECOND]);
  });

  it('hold a connection whose join is not known by its leave, else in the first', () => {
    const [first, second] = foldsOf(
      { starts: [1, 15 * SECOND], finishes },
      stay('PA_1', null, 18 * SECOND),
      stay('PA_2', null, null),
    );
    expect([sidsOf(first), sidsOf(second)]).toEqual([['PA_2'], ['PA_1']]);
  });

  it('hold a connection where it joined, though it left after the end', () => {
    const [first, second] = foldsOf(
      { starts: [1, 15 * SECOND], finishes },
      stay('PA_1', 2 * SECOND, 16 * SECOND),
    );
    expect([sidsOf(first), sidsOf(second)]).toEqual([['PA_1'], []]);
  });
});

describe('the times of a session', () => {
  it('run from the first join to the last leave', () => {
    expect(foldOf({}, stay('PA_1', 1_601, 5_000), stay('PA_2', 1_435, 6_000))).toMatchObject({
      firstJoinedAt: 1_435,
      lastLeftAt: 6_000,
      durationSeconds: 4.565,
    });
  });

  it('have no last leave while somebody who counts is connected', () => {
    expect(foldOf({}, stay('PA_1', 1_000, 5_000), stay('PA_2', 2_000, null))).toMatchObject({
      firstJoinedAt: 1_000,
      lastLeftAt: null,
      durationSeconds: null,
      activeParticipants: 1,
    });
  });

  it('have no last leave while somebody is connected who is known by a track alone', () => {
    const tracks = stay('PA_2', null, null, { kind: null });
    expect(foldOf({}, stay('PA_1', 1_000, 5_000), tracks)).toMatchObject({
      lastLeftAt: null,
      activeParticipants: 1,
    });
  });

  it('take the leave of somebody whose join is not known for the last', () => {
    expect(foldOf({}, stay('PA_1', 1_000, 5_000), stay('PA_2', null, 8_000))).toMatchObject({
      lastLeftAt: 8_000,
      durationSeconds: 7,
    });
  });

  it('are not known when nobody joined', () => {
    expect(foldOf({ finishes: [finish(9)] })).toMatchObject({
      firstJoinedAt: null,
      lastLeftAt: null,
      durationSeconds: null,
      peakParticipants: 0,
    });
  });

  it('bound a stay whose leave was lost by the end of the room, and say so', () => {
    const session = foldOf(
      { finishes: [finish(9_000)] },
      stay('PA_1', 1_000, 5_000),
      stay('PA_2', 2_000, null),
    );
    expect(session).toMatchObject({
      lastLeftAt: 9_000,
      durationSeconds: 8,
      participantSeconds: { standard: 4 + 7, agent: 0, sip: 0 },
      activeParticipants: 0,
      inferred: ['leftAt', 'lastLeftAt', 'durationSeconds', 'participantSeconds', 'peakParticipants'],
    });
    expect(session.participants[1]?.connections[0]).toMatchObject({
      leftAt: 9_000,
      reason: null,
      inferred: ['leftAt'],
    });
  });

  it('bound a stay whose leave was lost by the join that replaced it, though the room ended later', () => {
    const [ann] = foldOf(
      { finishes: [finish(9_000)] },
      stay('PA_1', 1_000, null, { identity: 'ann' }),
      stay('PA_2', 2_700, 5_000, { identity: 'ann' }),
    ).participants;
    expect(ann?.connections).toMatchObject([{ leftAt: 2_700 }, { leftAt: 5_000 }]);
  });

  it('let no leave come before its join, for leaves are told in whole seconds', () => {
    const session = foldOf({}, stay('PA_1', 5_700, 5_000));
    expect(session).toMatchObject({ lastLeftAt: 5_700, durationSeconds: 0, peakParticipants: 1 });
    expect(session.participants[0]?.connections[0]?.leftAt).toBe(5_700);
  });
});

describe('who counts', () => {
  it('sums the seconds of ended connections by kind; one that lasts does not count yet', () => {
    expect(
      foldOf(
        {},
        stay('PA_1', 1_000, 2_500),
        stay('PA_2', 3_000, 4_000),
        stay('PA_3', 1_001, 3_000, { kind: 'agent' }),
        stay('PA_4', 0, 250, { kind: 'sip' }),
        stay('PA_5', 0, null),
      ).participantSeconds,
    ).toEqual({ standard: 2.5, agent: 1.999, sip: 0.25 });
  });

  it.each(['egress', 'ingress'])('lists %s, and counts it nowhere', (kind) => {
    expect(foldOf({}, stay('PA_1', 1, null, { kind }))).toMatchObject({
      participants: [{ kind }],
      firstJoinedAt: null,
      lastLeftAt: null,
      durationSeconds: null,
      participantSeconds: { standard: 0, agent: 0, sip: 0 },
      peakParticipants: 0,
      activeParticipants: 0,
    });
  });

  it.each([null, 'connector', 'bridge', 'hologram'])('counts the kind %p as standard', (kind) => {
    expect(foldOf({}, stay('PA_1', 0, 1_000, { kind })).participantSeconds.standard).toBe(1);
  });

  it('neither lists nor counts an attempt that never became a connection', () => {
    const abort = { at: 5, reason: 'SIGNAL_CLOSE', eventId: 'EV_1' };
    expect(foldOf({}, connectionFact({ connected: false, abort }))).toMatchObject({
      participants: [],
      firstJoinedAt: null,
      peakParticipants: 0,
      abortedAttempts: 1,
    });
  });

  it.each([
    ['', 1_000],
    [', within that second', 5_000],
  ])('ends a connection by an attempt that is told as failed, although it had joined%s', (_, lastSeenAt) => {
    const abort = { at: 5_000, reason: 'JOIN_FAILURE', eventId: 'EV_1' };
    const [ann] = foldOf({}, stay('PA_1', 1_000, null, { lastSeenAt, abort })).participants;
    expect(ann?.connections).toMatchObject([{ leftAt: 5_000, reason: 'JOIN_FAILURE', inferred: [] }]);
  });
});

describe('the peak', () => {
  it('is the most identities that were connected at once', () => {
    const session = foldOf(
      {},
      stay('PA_1', 0, 10),
      stay('PA_2', 5, 20),
      stay('PA_3', 8, 9),
      stay('PA_4', 15, 30),
    );
    expect(session.peakParticipants).toBe(3);
  });

  it('takes two connections of one identity for one', () => {
    const twice = [stay('PA_1', 0, 10, { identity: 'ann' }), stay('PA_2', 5, 20, { identity: 'ann' })];
    expect(foldOf({}, ...twice).peakParticipants).toBe(1);
    expect(foldOf({}, ...twice, stay('PA_3', 12, 13)).peakParticipants).toBe(2);
  });

  it('lets who leaves at an instant be gone when another comes at it', () => {
    expect(foldOf({}, stay('PA_1', 0, 10), stay('PA_2', 10, 20)).peakParticipants).toBe(1);
    const twice = [stay('PA_1', 0, 1, { identity: 'ann' }), stay('PA_2', 10, 20, { identity: 'ann' })];
    expect(foldOf({}, ...twice, stay('PA_3', 2, 10)).peakParticipants).toBe(1);
  });
});

describe('the participants', () => {
  it('stand in the order of their first joins, then by identity; their connections by join, then sid', () => {
    const { participants } = foldOf(
      {},
      stay('PA_9', 5, 6, { identity: 'bob' }),
      stay('PA_4', 9, 10, { identity: 'ann' }),
      stay('PA_2', 9, 10, { identity: 'ann' }),
      stay('PA_3', 5, 6, { identity: 'ann' }),
    );
    expect(
      participants.map(({ identity, connections }) => [
        identity,
        connections.map(({ participantSid }) => participantSid),
      ]),
    ).toEqual([
      ['ann', ['PA_3', 'PA_2', 'PA_4']],
      ['bob', ['PA_9']],
    ]);
  });

  it('are what the latest of their connections tells, and who is back by a track alone is who they were', () => {
    const name = { value: 'Ann', version: 1, eventId: 'EV_1' };
    const { participants } = foldOf(
      {},
      stay('PA_1', 0, 5, { identity: 'ann', kind: 'agent', name }),
      stay('PA_2', null, null, { identity: 'ann', kind: null, seenAt: 9 }),
    );
    expect(participants).toMatchObject([{ identity: 'ann', kind: 'agent', name: 'Ann' }]);
  });

  const sipCall = (attributes: Record<string, string>) =>
    foldOf(
      {},
      stay('PA_1', 0, 1, {
        kind: 'sip',
        attributes: {
          value: {
            'sip.callID': 'SCL_1',
            'sip.trunkID': 'ST_1',
            'sip.phoneNumber': '+100',
            'sip.trunkPhoneNumber': '+900',
            'sip.callStatus': 'active',
            tier: 'gold',
            ...attributes,
          },
          version: 2,
          eventId: 'EV_1',
        },
      }),
    ).participants[0];

  it('tell a call that came in, from its caller to the trunk', () => {
    expect(sipCall({ 'sip.ruleID': 'SDR_1', 'sip.h.X-Account': '42' })).toMatchObject({
      attributes: { tier: 'gold', 'sip.h.X-Account': '42' },
      sip: {
        callId: 'SCL_1',
        from: '+100',
        to: '+900',
        trunkId: 'ST_1',
        ruleId: 'SDR_1',
        status: 'active',
        direction: 'inbound',
      },
    });
  });

  it('tell a call that went out, from the trunk to whom it called, and keep what every call has out of the attributes', () => {
    const participant = sipCall({});
    expect(participant?.sip).toMatchObject({ from: '+900', to: '+100', ruleId: null, direction: 'outbound' });
    expect(participant?.attributes).toEqual({ tier: 'gold' });
  });
});

describe('the recordings', () => {
  it('stand in the order in which they started, or were first told of; then by their id', () => {
    const egresses = [
      recording('EG_4', {}, { startedAt: 9, seenAt: 1 }),
      recording('EG_3', {}, { startedAt: 5, seenAt: 9 }),
      recording('EG_1', {}, { startedAt: 5, seenAt: 9 }),
      recording('EG_2', {}, { seenAt: 3 }),
    ];
    const [session] = foldRoom({ room: roomFact(), connections: [], egresses });
    expect(session?.recordings.map(({ egressId }) => egressId)).toEqual(['EG_2', 'EG_1', 'EG_3', 'EG_4']);
  });
});

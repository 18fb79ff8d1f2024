import type { ConnectionFact, RoomFact, RoomFacts } from '../../../src/sessions/facts/facts.js';
import { missingFacts, type Suspects } from '../../../src/sessions/reconciliation/missing-facts.js';
import type { RoomAnswer } from '../../../src/sessions/reconciliation/room-answer.js';
import type { ToldEgress, ToldParticipant, ToldRoom } from '../../../src/sessions/reconciliation/told.js';
import { connectionFact, recording, roomFact } from './facts.js';

const SECOND = 1_000;
const NOW = 1_000 * SECOND;

const described = { at: 0, eventId: 'EV_0', room: { sid: 'RM_1', name: 'call' } };

const known = (room: Partial<RoomFact> = {}, ...connections: Partial<ConnectionFact>[]): RoomFacts => ({
  room: roomFact({ openedAt: SECOND, description: described, ...room }),
  connections: connections.map(connectionFact),
  egresses: [],
});

const listed = (room: Partial<ToldRoom> = {}): ToldRoom => ({
  sid: 'RM_1',
  name: 'call',
  openedAt: SECOND,
  numParticipants: 0,
  json: {},
  ...room,
});

const there = (participant: Partial<ToldParticipant> = {}): ToldParticipant => ({
  sid: 'PA_1',
  identity: 'ann',
  isActive: true,
  isGone: false,
  joinedAt: 2 * SECOND,
  json: {},
  ...participant,
});

const answer = (told: Partial<RoomAnswer> = {}): RoomAnswer => ({
  project: 'default',
  roomSid: 'RM_1',
  at: NOW,
  listedAt: told.at ?? NOW,
  room: listed(),
  participants: [],
  egresses: [],
  successorOpenedAt: null,
  ...told,
});

const inferred = (at: number) => ({
  at,
  reason: null,
  eventId: 'reconciled:PA_1:left',
  inferred: true as const,
});
const told = (at: number) => ({ at, reason: 'CLIENT_INITIATED', eventId: 'EV_9' });

interface Case {
  facts: RoomFacts | null;
  told: Partial<RoomAnswer>;
  suspects?: Suspects;
  /** `name subject fact at`. */
  adds?: string[];
  suspected?: [string, number][];
}

const joined = { joinedAt: 2 * SECOND, seenAt: 2 * SECOND, lastSeenAt: 2 * SECOND };

const CASES: Record<string, Case> = {
  'a room nobody has heard of': {
    facts: null,
    told: { participants: [there()] },
    adds: [`room_started RM_1 started ${NOW}`, `participant_joined PA_1 joined ${NOW}`],
  },
  'one that was opened just now': {
    facts: null,
    told: { room: listed({ openedAt: NOW - 4 * SECOND }), participants: [there()] },
  },
  'one whose participants nobody asked for': {
    facts: null,
    told: { participants: null },
    adds: [`room_started RM_1 started ${NOW}`],
  },
  'a room that is known by a track only': {
    facts: known({ description: null }, joined),
    told: { participants: [there()] },
    adds: [`room_started RM_1 started ${NOW}`],
  },
  'one of which LiveKit does not tell when it was opened': {
    facts: null,
    told: { room: listed({ openedAt: null }), participants: null },
  },
  'who is known and listed': { facts: known({}, joined), told: { participants: [there()] } },
  'who is listed and not known': {
    facts: known(),
    told: { participants: [there()] },
    adds: [`participant_joined PA_1 joined ${NOW}`],
  },
  'who is listed and known by tracks alone': {
    facts: known({}, { seenAt: 2 * SECOND, lastSeenAt: 2 * SECOND, kind: null }),
    told: { participants: [there()] },
    adds: [`participant_joined PA_1 joined ${NOW}`],
  },
  'who is listed and has joined just now': {
    facts: known(),
    told: { participants: [there({ joinedAt: NOW - 4 * SECOND })] },
  },
  'who is listed and is not connected yet': {
    facts: known(),
    told: { participants: [there({ isActive: false })] },
  },
  'whose attempt was told as aborted, and who is there': {
    facts: known({}, { connected: false, abort: told(3 * SECOND) }),
    told: { participants: [there()] },
    adds: [`participant_joined PA_1 joined ${NOW}`],
  },
  'whose attempt was told as aborted, as its tracks were, and who is there': {
    facts: known({}, { seenAt: 2 * SECOND, lastSeenAt: 2 * SECOND, abort: told(3 * SECOND) }),
    told: { participants: [there()] },
    adds: [`participant_joined PA_1 joined ${NOW}`],
  },
  'whose attempt was told as aborted, and who was listed after that': {
    facts: known({}, { ...joined, lastSeenAt: 9 * SECOND, abort: told(3 * SECOND) }),
    told: { participants: [there()] },
  },
  'whose tracks alone have been told, after a leave that was inferred': {
    facts: known({}, { seenAt: 2 * SECOND, lastSeenAt: 5 * SECOND, leave: inferred(3 * SECOND) }),
    told: { participants: [there()] },
    adds: [`participant_joined PA_1 joined ${NOW}`],
  },
  'whose leave was told, and who is listed still': {
    facts: known({}, { ...joined, leave: told(9 * SECOND) }),
    told: { participants: [there()] },
  },
  'whose leave was inferred, and who is listed again': {
    facts: known({}, { ...joined, leave: inferred(9 * SECOND) }),
    told: { participants: [there()] },
    adds: [`participant_joined PA_1 joined ${NOW}`],
  },
  'whose leave was inferred by others after this was asked': {
    facts: known({}, { ...joined, leave: inferred(NOW) }),
    told: { participants: [there()] },
  },
  'who has left for another server, and is listed there': {
    facts: known({}, { ...joined, leave: { ...inferred(9 * SECOND), reason: 'MIGRATION' } }),
    told: { participants: [there()] },
    adds: [`participant_joined PA_1 joined ${NOW}`],
  },
  'whose inferred leave was refuted before': {
    facts: known({}, { ...joined, lastSeenAt: 10 * SECOND, leave: inferred(9 * SECOND) }),
    told: { participants: [there()] },
  },
  'who is missing for the first time': {
    facts: known({}, joined),
    told: {},
    suspected: [['PA_1', NOW]],
  },
  'who is missing and was seen less than ten seconds ago': {
    facts: known({}, { ...joined, lastSeenAt: NOW - 9 * SECOND }),
    told: {},
  },
  'who is missing for the second time': {
    facts: known({}, joined),
    told: {},
    suspects: new Map([['PA_1', 900 * SECOND]]),
    adds: [`participant_left PA_1 left ${900 * SECOND}`],
  },
  'who is missing for the second time, and was seen in between': {
    facts: known({}, { ...joined, lastSeenAt: 950 * SECOND }),
    told: {},
    suspects: new Map([['PA_1', 900 * SECOND]]),
    suspected: [['PA_1', NOW]],
  },
  'who is missing for the second time, and is told since to have been there the first time': {
    facts: known({}, { ...joined, lastSeenAt: 895 * SECOND }),
    told: {},
    suspects: new Map([['PA_1', 900 * SECOND]]),
    suspected: [['PA_1', NOW]],
  },
  'who is missing and came back under another sid': {
    facts: known({}, joined),
    told: { participants: [there({ sid: 'PA_2', joinedAt: 50 * SECOND })] },
    suspects: new Map([['PA_1', 900 * SECOND]]),
    adds: [`participant_joined PA_2 joined ${NOW}`, `participant_left PA_1 left ${50 * SECOND}`],
  },
  'who is missing where others came, and the same who was there before': {
    facts: known({}, joined),
    told: {
      participants: [
        there({ sid: 'PA_3', identity: 'bob', joinedAt: 50 * SECOND }),
        there({ sid: 'PA_0', joinedAt: SECOND }),
      ],
    },
    suspects: new Map([['PA_1', 900 * SECOND]]),
    adds: [
      `participant_joined PA_3 joined ${NOW}`,
      `participant_joined PA_0 joined ${NOW}`,
      `participant_left PA_1 left ${900 * SECOND}`,
    ],
  },
  'who is listed as gone': {
    facts: known({}, joined),
    told: { participants: [there({ isGone: true, isActive: false })] },
    suspected: [['PA_1', NOW]],
  },
  'who is listed as gone for the second time': {
    facts: known({}, joined),
    told: { participants: [there({ isGone: true, isActive: false })] },
    suspects: new Map([['PA_1', 900 * SECOND]]),
    adds: [`participant_left PA_1 left ${900 * SECOND}`],
  },
  'who is missing where nobody asked': {
    facts: known({}, joined),
    told: { participants: null },
    suspects: new Map([['PA_1', 900 * SECOND]]),
    suspected: [['PA_1', 900 * SECOND]],
  },
  'who was missing and is there': {
    facts: known({}, joined),
    told: { participants: [there()] },
    suspects: new Map([['PA_1', 900 * SECOND]]),
  },
  'a room that is gone for the first time': {
    facts: known({}, joined),
    told: { room: null, participants: null },
    suspected: [['RM_1', NOW]],
  },
  'one that has only just been heard of': {
    facts: known({}, { ...joined, joinedAt: NOW - 9 * SECOND }),
    told: { room: null, participants: null },
  },
  'one that is gone for the second time': {
    facts: known({}, joined),
    told: { room: null, participants: null },
    suspects: new Map([['RM_1', 900 * SECOND]]),
    adds: [`room_finished RM_1 finished ${900 * SECOND}`],
  },
  'one that is gone for the second time, and that tracks alone have told of': {
    facts: known({ openedAt: null, description: null }, joined),
    told: { room: null, participants: null },
    suspects: new Map([['RM_1', 900 * SECOND]]),
    adds: [`room_finished RM_1 finished ${900 * SECOND}`],
  },
  'one that was gone, and is listed': {
    facts: known({}, joined),
    told: { participants: null },
    suspects: new Map([['RM_1', 900 * SECOND]]),
  },
  'one that is gone again after an end that was refuted': {
    facts: known(
      { finishes: [{ at: 50 * SECOND, endReason: null, inferred: 'gone' }], listedAt: 60 * SECOND },
      joined,
    ),
    told: { room: null, participants: null },
    suspects: new Map([['RM_1', 900 * SECOND]]),
    adds: [`room_finished RM_1 finished-2 ${900 * SECOND}`],
  },
  'one that is gone since another of its name was opened': {
    facts: known({}, joined),
    told: { room: null, participants: null, successorOpenedAt: 500 * SECOND },
    suspects: new Map([['RM_1', 900 * SECOND]]),
    adds: [`room_finished RM_1 finished ${500 * SECOND}`],
  },
  'one that is gone, and of which something later was told than that another was opened': {
    facts: known({}, { ...joined, leave: told(501 * SECOND) }),
    told: { room: null, participants: null, successorOpenedAt: 500 * SECOND },
    suspects: new Map([['RM_1', 900 * SECOND]]),
    adds: [`room_finished RM_1 finished ${501 * SECOND}`],
  },
  'a room that has ended and is not listed': {
    facts: known({ finishes: [{ at: 90 * SECOND, endReason: null }] }, joined),
    told: { room: null, participants: null },
  },
  'a room that has ended less than a minute ago and is listed': {
    facts: known({ finishes: [{ at: NOW - 59 * SECOND, endReason: null }] }, joined),
    told: { participants: [there({ sid: 'PA_2', joinedAt: NOW - 50 * SECOND })] },
  },
  'one that has ended long ago, is listed, and nobody has come since': {
    facts: known({ finishes: [{ at: 90 * SECOND, endReason: null }] }),
    told: { participants: [there()] },
  },
  'one that has ended long ago, and somebody has come since': {
    facts: known({ finishes: [{ at: 90 * SECOND, endReason: null }] }, joined),
    told: { participants: [there({ sid: 'PA_2', joinedAt: 91 * SECOND })] },
    adds: [`participant_joined PA_2 joined ${NOW}`],
  },
  'one that has ended long ago, and somebody has come within that second': {
    facts: known({ finishes: [{ at: 90 * SECOND, endReason: null }] }, joined),
    told: { participants: [there({ sid: 'PA_2', joinedAt: 91 * SECOND - 1 })] },
  },
  'one whose end was inferred, and that is listed': {
    facts: known({ finishes: [{ at: 90 * SECOND, endReason: null, inferred: 'gone' }] }, joined),
    told: { participants: [there()] },
    adds: [`room_started RM_1 started ${NOW}`],
  },
};

describe('what webhooks have missed of a room', () => {
  test.each(Object.entries(CASES))('%s', (_, { facts, told: given, suspects, adds = [], suspected = [] }) => {
    const missing = missingFacts(facts, answer(given), suspects);
    expect(missing.events.map(({ name, subject, fact, at }) => `${name} ${subject} ${fact} ${at}`)).toEqual(
      adds,
    );
    expect([...missing.suspects]).toEqual(suspected);
  });

  test('a leave tells what is known of who has left', () => {
    const leaveOf = (...connections: Partial<ConnectionFact>[]) =>
      missingFacts(known({}, ...connections), answer(), new Map([['PA_1', 900 * SECOND]])).events.map(
        ({ participant }) => participant,
      );
    expect(leaveOf({ ...joined, joinedAt: 2_345, kind: 'agent' })).toEqual([
      { sid: 'PA_1', identity: 'ann', kind: 'AGENT', joinedAt: '2', joinedAtMs: '2345' },
    ]);
    expect(leaveOf({ ...joined, joinedAt: null, kind: null, identity: null })).toEqual([
      { sid: 'PA_1', identity: '' },
    ]);
  });

  const egress = (more: Partial<ToldEgress> = {}): ToldEgress => ({
    egressId: 'EG_1',
    roomSid: 'RM_1',
    roomName: 'call',
    progress: 1,
    changedAt: 500 * SECOND,
    json: {},
    ...more,
  });

  const egressesOf = (facts: RoomFacts | null, ...egresses: ToldEgress[]): string[] =>
    missingFacts(facts, answer({ room: null, participants: null, egresses })).events.map(
      ({ name, subject, fact }) => `${name} ${subject} ${fact}`,
    );

  const recorded = (progress: number): RoomFacts => ({
    ...known({ finishes: [{ at: 90 * SECOND, endReason: null }] }),
    egresses: [recording('EG_1', { progress })],
  });

  test('an egress that is further on than we know is told as what it is', () => {
    expect(egressesOf(recorded(0), egress())).toEqual(['egress_updated EG_1 active']);
    expect(egressesOf(recorded(1), egress())).toEqual([]);
    expect(egressesOf(recorded(1), egress({ progress: 2 }))).toEqual(['egress_updated EG_1 ending']);
    expect(egressesOf(recorded(1), egress({ progress: 3 }))).toEqual(['egress_ended EG_1 ended']);
    expect(egressesOf(recorded(3), egress({ progress: 3 }))).toEqual([]);
  });

  test('one that we do not know, of a room that we do', () => {
    expect(egressesOf(known(), egress({ progress: 0 }))).toEqual(['egress_started EG_1 started']);
    expect(egressesOf(known(), egress({ changedAt: NOW - 4 * SECOND }))).toEqual([]);
    expect(egressesOf(null, egress())).toEqual([]);
  });

  test('one of a room that is listed, and that we do not know', () => {
    const { events } = missingFacts(null, answer({ egresses: [egress({ roomName: '' })] }));
    expect(events).toMatchObject([
      { name: 'room_started' },
      { name: 'egress_updated', subject: 'EG_1', room: { sid: 'RM_1', name: 'call' } },
    ]);
  });
});

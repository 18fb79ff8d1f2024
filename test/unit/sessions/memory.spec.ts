import type { Attendances } from '../../../src/sessions/reconciliation/attendance.js';
import {
  afterAsking,
  afterGap,
  afterListing,
  afterLosses,
  afterRound,
  type Examination,
  isCatchingUp,
  type Memory,
  NO_MEMORY,
} from '../../../src/sessions/reconciliation/memory.js';
import type { ToldParticipant } from '../../../src/sessions/reconciliation/told.js';

const missing = (...sids: string[]) => new Map(sids.map((sid) => [sid, 1]));

const memory = (more: Partial<Memory> = {}): Memory => ({ ...NO_MEMORY, ...more });

/** What LiveKit said of rooms, each with who is there. */
const told = (
  rooms: Record<string, ToldParticipant[]> = {},
  failedAt = new Map<string, number>(),
): Attendances => ({
  byRoom: new Map(Object.entries(rooms).map(([sid, participants]) => [sid, { at: 2, participants }])),
  failedAt,
  failures: failedAt.size,
});

const there = (sid: string, isGone = false): ToldParticipant => ({
  sid,
  identity: sid,
  isActive: !isGone,
  isGone,
  joinedAt: 1,
  json: {},
});

const round = (more: Partial<Examination> = {}): Examination => ({
  attendances: new Map(),
  unlike: new Set(),
  suspects: new Map(),
  ...more,
});

describe('which rooms have had their turn', () => {
  const listed = new Set(['RM_1', 'RM_2']);

  test('at the start, and after a gap, none has', () => {
    expect(isCatchingUp(NO_MEMORY)).toBe(false);
    expect(isCatchingUp(afterListing(NO_MEMORY, listed))).toBe(true);
    const known = memory({ listed, askedAt: new Map([...listed].map((sid) => [sid, 1])) });
    expect(isCatchingUp(known)).toBe(false);
    expect(isCatchingUp(afterGap(known))).toBe(true);
  });

  test('one that was asked about has, whether LiveKit answered or failed', () => {
    const known = memory({ listed, askedAt: new Map([['RM_2', 1]]) });
    const failed = afterAsking(known, told({}, new Map([['RM_1', 1]])));
    expect(isCatchingUp(failed)).toBe(false);
    const { askedAt } = afterRound(failed, round({ attendances: told({ RM_2: [] }).byRoom }));
    expect([...askedAt]).toEqual([
      ['RM_2', 2],
      ['RM_1', 1],
    ]);
  });

  test('one that was not asked about in a round keeps its turn, and a new one has none', () => {
    const known = memory({ listed, askedAt: new Map([['RM_1', 1]]) });
    const next = afterRound(afterListing(known, ['RM_1', 'RM_3']), round());
    expect([...next.askedAt]).toEqual([['RM_1', 1]]);
    expect(isCatchingUp(next)).toBe(true);
  });

  test('one that is gone is forgotten', () => {
    const known = memory({ listed, askedAt: new Map([['RM_1', 1]]) });
    expect(afterRound(afterListing(known, ['RM_2']), round()).askedAt.size).toBe(0);
  });
});

describe('what rooms miss', () => {
  const suspecting = memory({
    listed: new Set(['RM_1']),
    suspects: new Map([['RM_1', missing('PA_1')]]),
  });
  const left = (known: Memory, more: Partial<Examination>) =>
    [...afterRound(known, round(more)).suspects].map(([sid, { size }]) => [sid, size]);

  test('is what the round found', () => {
    const found = new Map([
      ['RM_1', missing('PA_1', 'PA_2')],
      ['RM_2', missing('PA_3')],
    ]);
    expect(left(suspecting, { unlike: new Set(found.keys()), suspects: found })).toEqual([
      ['RM_1', 2],
      ['RM_2', 1],
    ]);
  });

  test('is nothing any more where nothing was found', () => {
    expect(left(suspecting, { unlike: new Set(['RM_1']), suspects: new Map([['RM_1', missing()]]) })).toEqual(
      [],
    );
  });

  test('is nothing any more where all is as known', () => {
    expect(left(suspecting, { attendances: told({ RM_1: [] }).byRoom })).toEqual([]);
  });

  test('is nothing any more where the room is gone, and so is its session', () => {
    expect(left(afterListing(suspecting, []), {})).toEqual([]);
  });

  test('is not the room itself any more once that is listed, nor whoever is listed in it', () => {
    const known = memory({
      suspects: new Map([
        ['RM_1', missing('PA_1', 'PA_2', 'PA_3')],
        ['RM_2', missing('RM_2')],
        ['RM_3', missing('RM_3')],
      ]),
    });
    const listed = afterListing(known, ['RM_1', 'RM_2']);
    expect([...listed.suspects.keys()]).toEqual(['RM_1', 'RM_3']);
    const asked = afterAsking(listed, told({ RM_1: [there('PA_1'), there('PA_2', true)] }));
    expect([...(asked.suspects.get('RM_1') ?? [])]).toEqual([...missing('PA_2', 'PA_3')]);
  });

  test('is what it was where the room was not asked about', () => {
    expect(left(suspecting, {})).toEqual([['RM_1', 1]]);
  });

  test('is what it was where the room could not be examined', () => {
    const unlike = new Set(['RM_1']);
    expect(left(suspecting, { unlike, attendances: told({ RM_1: [] }).byRoom })).toEqual([['RM_1', 1]]);
    expect(left(afterListing(suspecting, []), { unlike })).toEqual([['RM_1', 1]]);
  });
});

test('lost egresses are kept until a round has come to its end', () => {
  const lost = afterLosses(afterLosses(NO_MEMORY, ['EG_1']), ['EG_2']);
  expect(afterGap(afterListing(lost, [])).lostEgresses).toEqual(['EG_1', 'EG_2']);
  expect(afterRound(lost, round()).lostEgresses).toEqual([]);
});

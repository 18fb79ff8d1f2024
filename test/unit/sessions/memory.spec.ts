import {
  afterFailedCalls,
  afterGap,
  afterListing,
  afterLosses,
  afterRound,
  type Examination,
  isCatchingUp,
  type Memory,
  NO_MEMORY,
} from '../../../src/sessions/reconciliation/memory.js';

const missing = (...sids: string[]) => new Map(sids.map((sid) => [sid, 1]));

const memory = (more: Partial<Memory> = {}): Memory => ({ ...NO_MEMORY, ...more });

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
    const failed = afterFailedCalls(memory({ listed, askedAt: new Map([['RM_2', 1]]) }), missing('RM_1'));
    expect(isCatchingUp(failed)).toBe(false);
    const { askedAt } = afterRound(failed, round({ attendances: new Map([['RM_2', { at: 2 }]]) }));
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
    expect(left(suspecting, { attendances: new Map([['RM_1', { at: 1 }]]) })).toEqual([]);
  });

  test('is nothing any more where the room is gone, and so is its session', () => {
    expect(left(afterListing(suspecting, []), {})).toEqual([]);
  });

  test('is what it was where the room was not asked about', () => {
    expect(left(suspecting, {})).toEqual([['RM_1', 1]]);
  });

  test('is what it was where the room could not be examined', () => {
    const unlike = new Set(['RM_1']);
    expect(left(suspecting, { unlike, attendances: new Map([['RM_1', { at: 1 }]]) })).toEqual([['RM_1', 1]]);
    expect(left(afterListing(suspecting, []), { unlike })).toEqual([['RM_1', 1]]);
  });
});

test('lost egresses are kept until a round has come to its end', () => {
  const lost = afterLosses(afterLosses(NO_MEMORY, ['EG_1']), ['EG_2']);
  expect(afterGap(afterListing(lost, [])).lostEgresses).toEqual(['EG_1', 'EG_2']);
  expect(afterRound(lost, round()).lostEgresses).toEqual([]);
});

import {
  type AskedBefore,
  ROOMS_IN_A_ROUND,
  roomsToAsk,
} from '../../../src/sessions/reconciliation/rooms-to-ask.js';
import type { ToldRoom } from '../../../src/sessions/reconciliation/told.js';

const rooms = (count: number, numParticipants = 2): ToldRoom[] =>
  Array.from({ length: count }, (_, n) => ({
    sid: `RM_${n}`,
    name: `call-${n}`,
    openedAt: 1,
    numParticipants,
    json: {},
  }));

const before = (listed: readonly ToldRoom[], more: Partial<AskedBefore> = {}): AskedBefore => ({
  present: new Map(listed.map(({ sid }) => [sid, 2])),
  askedAt: new Map(listed.map(({ sid }, n) => [sid, n])),
  suspected: new Set(),
  isCatchingUp: false,
  ...more,
});

const chosen = (listed: readonly ToldRoom[], more: Partial<AskedBefore> = {}): string[] =>
  roomsToAsk(listed, before(listed, more)).map(({ sid }) => sid);

describe('the rooms that LiveKit is asked for', () => {
  test('are all of them while they are few', () => {
    expect(chosen(rooms(ROOMS_IN_A_ROUND))).toHaveLength(ROOMS_IN_A_ROUND);
  });

  test('are by turns while they are few, whatever speaks for others: those first that were never asked', () => {
    const listed = rooms(ROOMS_IN_A_ROUND);
    const askedAt = new Map(listed.slice(0, 98).map(({ sid }, n) => [sid, 1_000 - n]));
    expect(chosen(listed, { askedAt, suspected: new Set(['RM_0']) })).toEqual([
      'RM_98',
      'RM_99',
      ...listed
        .slice(0, 98)
        .map(({ sid }) => sid)
        .toReversed(),
    ]);
  });

  test('are those asked longest ago where nothing speaks for any', () => {
    expect(chosen(rooms(300))).toEqual(rooms(100).map(({ sid }) => sid));
  });

  test('are first those never heard of, those that miss something, and those that LiveKit counts otherwise', () => {
    const listed = rooms(300);
    listed[299] = { ...(listed[299] as ToldRoom), numParticipants: 3 };
    const present = new Map(listed.slice(0, 298).map(({ sid }) => [sid, 2]));
    present.set('RM_299', 2);
    expect(chosen(listed, { present, suspected: new Set(['RM_297']) }).slice(0, 4)).toEqual([
      'RM_298',
      'RM_297',
      'RM_299',
      'RM_0',
    ]);
  });

  test('and whoever waits has a turn, however many are urgent', () => {
    const listed = rooms(300);
    for (let n = 50; n < 300; n += 1) listed[n] = { ...(listed[n] as ToldRoom), numParticipants: 7 };
    const asked = chosen(listed);
    expect(asked).toHaveLength(ROOMS_IN_A_ROUND);
    expect(asked.slice(75)).toEqual(rooms(25).map(({ sid }) => sid));
  });

  test('after a gap all are asked once before any is asked again', () => {
    const listed = rooms(300, 7);
    const askedAt = new Map(rooms(200).map(({ sid }, n) => [sid, n]));
    const suspected = new Set(askedAt.keys());
    expect(new Set(chosen(listed, { askedAt, suspected, isCatchingUp: true }))).toEqual(
      new Set(listed.slice(200).map(({ sid }) => sid)),
    );
  });
});

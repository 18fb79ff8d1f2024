import { TurnShares } from '../../../src/event-log/loop/turn-shares.js';
import { handler } from './deliveries.js';

const FULL = 1_024;

describe("a handler's share of a turn", () => {
  let shares: TurnShares;
  beforeEach(() => (shares = new TurnShares()));

  /** The shares of handlers that have room for so many deliveries each. */
  const of = (...wanted: number[]) => limits(wanted.map((limit) => ({ handler: handler(), limit })));
  const limits = (wanted: Parameters<TurnShares['of']>[0]) => shares.of(wanted).map(({ limit }) => limit);
  const fail = (times: number) => {
    for (let time = 0; time < times; time++) shares.shrink();
  };

  test('is what it has room for, as long as the turn has room for that', () => {
    expect(of(64, 256)).toEqual([64, 256]);
    expect(of(5_000)).toEqual([FULL]);
    expect(of()).toEqual([]);
  });

  test('is as large as that of the others', () => {
    expect(of(5_000, 5_000, 10, 5_000)).toEqual([256, 256, 10, 256]);
    expect(of(5_000, 5_000, 5_000)).toEqual([342, 342, 342]);
  });

  test('is a whole batch at least', () => {
    const [batched, single] = [handler({ batch: 1_000 }), handler()];
    expect(
      limits([
        { handler: batched, limit: 1_000 },
        { handler: single, limit: 1_000 },
      ]),
    ).toEqual([1_000, 512]);
  });

  test('is half of it after a turn that failed, and all of it again after one that did not', () => {
    fail(2);
    expect(of(100, 5_000)).toEqual([25, 128]);
    shares.grow();
    expect(of(100, 5_000)).toEqual([50, 256]);
    shares.grow();
    shares.grow();
    expect(of(100, 5_000)).toEqual([100, 512]);
  });

  test('is one delivery at last, and larger with the first turn that succeeds, however many have failed', () => {
    fail(100);
    expect(of(5_000, 1)).toEqual([1, 1]);
    shares.grow();
    expect(of(5_000)).toEqual([2]);
  });
});

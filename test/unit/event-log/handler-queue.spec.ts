import type { ClaimedDelivery } from '../../../src/event-log/claim/claims.js';
import type { Handler } from '../../../src/event-log/handlers/handler.js';
import { HandlerQueue } from '../../../src/event-log/run/handler-queue.js';
import { claimed, handler } from './deliveries.js';

/** A queue that holds deliveries: of a room each, `null` of none. */
function queueOf(changes: Partial<Handler>, rooms: (string | null)[], attempts: number[] = []) {
  const of = handler(changes);
  const queue = new HandlerQueue(of);
  const all = rooms.map((orderKey, n) => claimed({ handler: of, orderKey, attempt: attempts[n] ?? 1 }));
  for (const delivery of all) queue.add(delivery);
  const places = (some: readonly ClaimedDelivery[] | undefined) => some?.map((one) => all.indexOf(one));
  /** The places of the deliveries of every run that may begin now. */
  const begin = () => {
    const runs: ClaimedDelivery[][] = [];
    for (let run = queue.next(); run !== undefined; run = queue.next()) runs.push(run);
    return { runs, places: runs.map(places) };
  };
  return { queue, all, begin, places };
}

describe('the queue of a handler', () => {
  test('begins as many runs as it may have at once, in order, and another when one has ended', () => {
    const { queue, begin } = queueOf({ concurrency: 2 }, [null, null, null, null]);
    const { runs, places } = begin();
    expect(places).toEqual([[0], [1]]);
    expect(queue.ended(runs[1] as ClaimedDelivery[], 1, false)).toEqual([]);
    expect(begin().places).toEqual([[2]]);
  });

  test('makes batches of what is there', () => {
    const { begin } = queueOf({ batch: 3, concurrency: 2 }, [null, null, null, null, null]);
    expect(begin().places).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });

  test('runs alone whatever failed before, and batches those around it', () => {
    const { begin } = queueOf({ batch: 3, concurrency: 9 }, [null, null, null, null], [1, 2, 1, 1]);
    expect(begin().places).toEqual([[0, 2, 3], [1]]);
    const failedFirst = queueOf({ batch: 3, concurrency: 9 }, [null, null, null], [2, 1, 1]);
    expect(failedFirst.begin().places).toEqual([[0], [1, 2]]);
  });

  test('begins one of a room at a time, and other rooms beside it', () => {
    const { queue, begin } = queueOf({ ordered: true, concurrency: 9 }, ['A', 'A', 'B', 'A', 'B']);
    const { runs, places } = begin();
    expect(places).toEqual([[0], [2]]);
    queue.ended(runs[0] as ClaimedDelivery[], 1, false);
    expect(begin().places).toEqual([[1]]);
  });

  test('puts what is of no room in no order', () => {
    const { begin } = queueOf({ ordered: true, concurrency: 3 }, [null, null, null, null]);
    expect(begin().places).toEqual([[0], [1], [2]]);
  });

  test('makes batches of one room, which nothing overtakes', () => {
    const rooms = ['A', 'B', 'A', 'B', 'A'];
    expect(queueOf({ ordered: true, batch: 9, concurrency: 9 }, rooms).begin().places).toEqual([
      [0, 2, 4],
      [1, 3],
    ]);
    const afterFailure = queueOf({ ordered: true, batch: 9, concurrency: 9 }, rooms, [1, 1, 2]);
    expect(afterFailure.begin().places).toEqual([[0], [1, 3]]);
  });

  test('gives back what waits of a room that is held, and of no other', () => {
    const { queue, begin, places } = queueOf({ ordered: true, concurrency: 1 }, ['A', 'A', 'B', 'A']);
    const { runs } = begin();
    expect(places(queue.ended(runs[0] as ClaimedDelivery[], 1, true))).toEqual([1, 3]);
    expect(begin().places).toEqual([[2]]);
  });

  test('gives back nothing where what failed is of no room', () => {
    const { queue, begin } = queueOf({ ordered: true, concurrency: 1 }, [null, null]);
    const { runs } = begin();
    expect(queue.ended(runs[0] as ClaimedDelivery[], 1, true)).toEqual([]);
    expect(begin().places).toEqual([[1]]);
  });

  test('tells whether more of the room of a run that has ended is here, or runs by now', () => {
    const { queue, begin } = queueOf({ ordered: true, concurrency: 9 }, ['A', 'B', 'A', null, null]);
    const { runs } = begin();
    const [ofA, ofB, ofNone] = runs as [ClaimedDelivery[], ClaimedDelivery[], ClaimedDelivery[]];
    for (const run of [ofA, ofB, ofNone]) queue.ended(run, 1, false);
    expect([ofA, ofB, ofNone].map((run) => queue.hasMoreOf(run))).toEqual([true, false, false]);
    const [again] = begin().runs as [ClaimedDelivery[]];
    expect(queue.hasMoreOf(ofA)).toBe(true);
    queue.ended(again, 1, false);
    expect(queue.hasMoreOf(ofA)).toBe(false);
  });

  test('gives back everything that has not begun when it is cleared', () => {
    const { queue, begin, places } = queueOf({ concurrency: 1 }, [null, null, null]);
    begin();
    expect(places(queue.clear())).toEqual([1, 2]);
    expect(begin().places).toEqual([]);
  });
});

describe('what a handler wants to claim', () => {
  const { concurrency } = handler();

  test('is what it can begin at once, as long as nobody knows how quick it is', () => {
    expect(queueOf({}, []).queue.demand).toBe(concurrency);
    expect(queueOf({ batch: 50, concurrency: 2 }, []).queue.demand).toBe(100);
    expect(queueOf({ batch: 1_000, concurrency: 1 }, []).queue.demand).toBe(1_000);
  });

  test('is more when it is quick, but never much more than it has need of', () => {
    const { queue, begin } = queueOf({ concurrency: 10 }, Array(100).fill(null));
    for (let { runs } = begin(); runs.length > 0; { runs } = begin()) {
      for (const run of runs) queue.ended(run, 0, false);
    }
    expect(queue.demand).toBe(256);
  });

  test('is no more than it can begin at once when it is slow', () => {
    const { queue, begin } = queueOf({ concurrency: 10 }, Array(100).fill(null));
    for (let { runs } = begin(); runs.length > 0; { runs } = begin()) {
      for (const run of runs) queue.ended(run, 1_000, false);
    }
    expect(queue.demand).toBe(10);
  });

  test('is nothing while it has enough to do', () => {
    expect(queueOf({ concurrency: 10 }, Array(6).fill(null)).queue.demand).toBe(0);
    expect(queueOf({ concurrency: 10 }, Array(5).fill(null)).queue.demand).toBe(5);
  });

  test('is rooms, of one that is ordered: what waits may all be of one', () => {
    const wants = (rooms: string[]) => queueOf({ ordered: true, concurrency: 2 }, rooms).queue.demand;
    expect(wants([])).toBeGreaterThan(2);
    expect(queueOf({ ordered: true, batch: 100, concurrency: 2 }, []).queue.demand).toBe(100);
    expect(wants(Array(100).fill('A'))).toBeGreaterThan(0);
    expect(wants(['A', 'B'])).toBe(0);
    expect(wants(Array(512).fill('A'))).toBe(0); // and yet there is an end to it
  });
});

import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppendQueue, type AppendQueueLimits } from '../../../src/event-log/append/append-queue.js';
import { AppendQueueFullError, StoreUnavailableError } from '../../../src/event-log/errors.js';

const LIMITS: AppendQueueLimits = {
  entries: 100,
  bytes: 1_000,
  patience: 2_000,
  batch: 10,
  batchBytes: 1_000,
};

/** A store whose commits are finished by hand. */
class HandStore {
  readonly batches: string[][] = [];
  private readonly pending: { resolve(): void; reject(error: Error): void }[] = [];

  commit(batch: string[]): Promise<string[]> {
    this.batches.push(batch);
    return new Promise((resolve, reject) => {
      this.pending.push({ resolve: () => resolve(batch.map((item) => `${item} stored`)), reject });
    });
  }

  isBusy(error: unknown): boolean {
    return (error as Error).message === 'busy';
  }

  async next(): Promise<{ resolve(): void; reject(error: Error): void }> {
    for (;;) {
      const commit = this.pending.shift();
      if (commit !== undefined) return commit;
      await nextTurn();
    }
  }
}

describe('the append queue', () => {
  let store: HandStore;
  const queueWith = (limits: Partial<AppendQueueLimits> = {}) =>
    new AppendQueue(store, { ...LIMITS, ...limits });

  beforeEach(() => {
    store = new HandStore();
  });

  test('commits a lone item at once', async () => {
    const added = queueWith().add('a', 1);
    (await store.next()).resolve();
    expect(await added).toBe('a stored');
  });

  test('commits whatever came during a commit together', async () => {
    const queue = queueWith();
    const first = queue.add('a', 1);
    const commit = await store.next();
    const others = ['b', 'c', 'd'].map((item) => queue.add(item, 1));
    commit.resolve();
    (await store.next()).resolve();
    expect(await Promise.all([first, ...others])).toHaveLength(4);
    expect(store.batches).toEqual([['a'], ['b', 'c', 'd']]);
  });

  test('takes a crowd that comes behind no commit as a whole, after a lone item too', async () => {
    const queue = queueWith({ batch: 100 });
    const lone = queue.add('a', 1);
    (await store.next()).resolve();
    await lone;
    await nextTurn();
    const crowd = Array.from({ length: 40 }, (_, nth) => queue.add(String(nth), 1));
    (await store.next()).resolve();
    await Promise.all(crowd);
    expect(store.batches.map((batch) => batch.length)).toEqual([1, 40]);
  });

  test('shares senders that send again once they are answered out evenly between two commits', async () => {
    const queue = queueWith({ batch: 100 });
    const over = new AbortController();
    const sendAgainAndAgain = async (): Promise<void> => {
      while (!over.signal.aborted) {
        await queue.add('a', 1);
        await nextTurn(); // it is answered, and sends again
      }
    };
    const sent = [sendAgainAndAgain()];
    let commit = await store.next();
    sent.push(...Array.from({ length: 63 }, sendAgainAndAgain));
    for (let commits = 1; commits < 6; commits += 1) {
      for (let turn = 0; turn < 3; turn += 1) await nextTurn(); // a commit takes longer than to send again
      if (commits === 5) over.abort();
      commit.resolve();
      commit = await store.next();
    }
    commit.resolve();
    await Promise.all(sent);
    expect(store.batches.map((batch) => batch.length)).toEqual([1, 32, 32, 32, 32, 32]);
  });

  test('puts no more entries and no more bytes into a commit than it may, but a lone entry of any size', async () => {
    const queue = queueWith({ bytes: 10_000, batch: 3, batchBytes: 100 });
    const sizes = { a: 1, b: 40, c: 60, d: 1, e: 500, f: 1, g: 1, h: 1, i: 1 };
    const added = Object.entries(sizes).map(([item, size]) => queue.add(item, size));
    const all = Promise.all(added);
    for (let commits = 0; commits < 5; commits += 1) (await store.next()).resolve();
    await all;
    expect(store.batches).toEqual([['a', 'b'], ['c', 'd'], ['e'], ['f', 'g', 'h'], ['i']]);
  });

  test('resolves nothing before its commit', async () => {
    let resolved = false;
    const added = queueWith()
      .add('a', 1)
      .then(() => (resolved = true));
    const commit = await store.next();
    expect(resolved).toBe(false);
    commit.resolve();
    await added;
  });

  test('refuses more entries than it may hold, and takes some again when there is room', async () => {
    const queue = queueWith({ entries: 2 });
    const held = [queue.add('a', 1), queue.add('b', 1)];
    await expect(queue.add('c', 1)).rejects.toThrow(AppendQueueFullError);
    (await store.next()).resolve();
    await Promise.all(held);
    const again = queue.add('d', 1);
    (await store.next()).resolve();
    expect(await again).toBe('d stored');
  });

  test('refuses more bytes than it may hold, but never a lone item', async () => {
    const queue = queueWith({ bytes: 100 });
    const large = queue.add('large', 500);
    await expect(queue.add('small', 1)).rejects.toThrow(AppendQueueFullError);
    (await store.next()).resolve();
    expect(await large).toBe('large stored');
  });

  test('gives up on a commit that takes too long, and tells that the store is slow', async () => {
    await expect(queueWith({ patience: 300 }).add('a', 1)).rejects.toMatchObject({ reason: 'slow' });
    (await store.next()).resolve();
  });

  test('does not store what nobody waits for any more', async () => {
    const queue = queueWith({ patience: 300 });
    const slow = queue.add('a', 1);
    const commit = await store.next();
    const impatient = queue.add('b', 1);
    await expect(Promise.all([slow, impatient])).rejects.toThrow(StoreUnavailableError);
    await expect(impatient).rejects.toThrow(StoreUnavailableError);
    commit.resolve();
    await queue.close();
    expect(store.batches).toEqual([['a']]);
  });

  test('tries again while the store is busy', async () => {
    const added = queueWith().add('a', 1);
    (await store.next()).reject(new Error('busy'));
    (await store.next()).resolve();
    expect(await added).toBe('a stored');
  });

  test('lets one that cannot be stored fail alone', async () => {
    const queue = queueWith();
    const added = Promise.allSettled(['a', 'bad', 'c'].map((item) => queue.add(item, 1)));
    (await store.next()).reject(new Error('constraint'));
    (await store.next()).resolve();
    (await store.next()).reject(new Error('constraint'));
    (await store.next()).resolve();
    expect((await added).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  test('closes when everything that waits is committed, and takes nothing more', async () => {
    const queue = queueWith();
    const added = queue.add('a', 1);
    const closed = queue.close();
    await expect(queue.add('b', 1)).rejects.toMatchObject({ reason: 'closed' });
    (await store.next()).resolve();
    await closed;
    expect(await added).toBe('a stored');
  });
});

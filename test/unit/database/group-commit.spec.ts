import { setImmediate as nextTurn } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import { GroupCommit } from '../../../src/database/group-commit.js';
import { WriteLock } from '../../../src/database/write-lock.js';

const runner = {
  startTransaction: async () => undefined,
  commitTransaction: async () => undefined,
  rollbackTransaction: async () => undefined,
} as unknown as QueryRunner;

describe('transactions that wait for one writer', () => {
  test('share commits, while webhooks keep coming too', async () => {
    const lock = new WriteLock();
    let commits = 0;
    const groups = new GroupCommit(
      (work) =>
        lock.run(async () => {
          commits += 1;
          await work(runner);
        }),
      () => lock.isAppendWaiting,
    );
    const done: true[] = [];
    const webhooks = (async () => {
      while (done.length < 100) {
        await lock.run(() => nextTurn(), 'append');
      }
    })();
    await Promise.all(
      Array.from({ length: 100 }, () =>
        groups.run(async () => {
          await Promise.resolve();
          done.push(true);
        }),
      ),
    );
    await webhooks;
    expect(commits).toBeLessThan(20);
  });
});

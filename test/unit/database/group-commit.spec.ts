import { setImmediate as nextTurn } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import { GroupCommit } from '../../../src/database/sqlite/group-commit.js';
import { WriteLock } from '../../../src/database/sqlite/write-lock.js';

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

  test('that come while a commit fails in which nothing was left are done, and told nothing of it', async () => {
    let commits = 0;
    let come: (late: Promise<string>) => void;
    const late = new Promise<string>((resolve) => (come = resolve));
    const groups = new GroupCommit(
      async (work) => {
        await work(runner);
        commits += 1;
        if (commits > 1) return;
        come(groups.run(async () => 'done'));
        throw new Error('the disk is full');
      },
      () => false,
    );
    await expect(groups.run(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(await late).toBe('done');
  });
});

import type { QueryRunner } from 'typeorm';

/** Nobody joins a commit any more that has been prepared for so long, milliseconds. */
const LONGEST = 50;

/** The same where webhooks wait behind it. It has waited for them itself, and whoever does not join waits as long again. */
const LONGEST_BEFORE_WEBHOOKS = 5;

interface Member {
  work(runner: QueryRunner): Promise<unknown>;
  result?: unknown;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/**
 * Transactions that wait for SQLite's one writer at the same time share a commit, and so one write to the disk. Each is a
 * savepoint: it is kept or rolled back by itself, and sees those before it as if they were committed.
 */
export class GroupCommit {
  private readonly waiting: Member[] = [];
  private flushing: Promise<void> | undefined;

  /**
   * @param transaction begins one, and commits it when the work is done.
   * @param areWebhooksWaiting whether webhooks wait for the writer: they must not wait for all of a long group.
   */
  constructor(
    private readonly transaction: (work: (runner: QueryRunner) => Promise<void>) => Promise<void>,
    private readonly areWebhooksWaiting: () => boolean,
  ) {}

  /** Runs `work` in a transaction, and once more, in one of its own, where it was a shared commit that failed. */
  run<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ work, resolve: resolve as Member['resolve'], reject });
      this.flushing ??= this.flush();
    });
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) await this.commit();
    this.flushing = undefined;
  }

  private async commit(isAlone = false): Promise<void> {
    const group: Member[] = [];
    try {
      await this.transaction(async (runner) => {
        const start = performance.now();
        const longest = () => (this.areWebhooksWaiting() ? LONGEST_BEFORE_WEBHOOKS : LONGEST);
        const isOpen = () => !isAlone && performance.now() - start < longest();
        do {
          const member = this.waiting.shift() as Member;
          group.push(member);
          if (!(await isKept(runner, member))) group.pop();
        } while (this.waiting.length > 0 && isOpen());
      });
      for (const { resolve, result } of group) resolve(result);
    } catch (error) {
      if (group.length <= 1) return (group[0] ?? this.waiting.shift())?.reject(error);
      // Whose fault it is can't be told: a foreign key, say, that is checked when all is committed.
      this.waiting.unshift(...group);
      for (let left = group.length; left > 0; left -= 1) await this.commit(true);
    }
  }
}

/** Runs a member in a savepoint; one that fails is rolled back, and told. */
async function isKept(runner: QueryRunner, member: Member): Promise<boolean> {
  await runner.startTransaction();
  try {
    member.result = await member.work(runner);
    await runner.commitTransaction();
    return true;
  } catch (error) {
    await runner.rollbackTransaction();
    member.reject(error);
    return false;
  }
}

import type { QueryRunner } from 'typeorm';

/** A commit that has been prepared for this long takes no more members, milliseconds. */
const LONGEST = 50;

/** The same when webhooks wait behind it. It has waited for them itself, and those that don't join wait as long again. */
const LONGEST_BEFORE_WEBHOOKS = 5;

interface Member {
  work(runner: QueryRunner): Promise<unknown>;
  result?: unknown;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/**
 * Transactions that wait for SQLite's one writer at the same time share a commit, and so one write to the disk. Each is a
 * savepoint: it is kept or rolled back by itself, and sees those before it as if they were committed. One that ends the
 * whole transaction fails alone, too: the others are run again.
 */
export class GroupCommit {
  private readonly waiting: Member[] = [];
  private flushing: Promise<void> | undefined;

  /**
   * @param transaction begins a transaction, and commits it when the work is done.
   * @param areWebhooksWaiting whether webhooks wait for the writer: they must not wait for all of a long group.
   */
  constructor(
    private readonly transaction: (work: (runner: QueryRunner) => Promise<void>) => Promise<void>,
    private readonly areWebhooksWaiting: () => boolean,
  ) {}

  /** Runs `work` in a transaction, and once more, in one of its own, if a shared commit failed. */
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
    const kept: Member[] = [];
    let begun = 0;
    try {
      await this.transaction(async (runner) => {
        const start = performance.now();
        const longest = () => (this.areWebhooksWaiting() ? LONGEST_BEFORE_WEBHOOKS : LONGEST);
        const isOpen = () => !isAlone && performance.now() - start < longest();
        do {
          const member = this.waiting.shift() as Member;
          begun += 1;
          kept.push(member);
          await runner.startTransaction();
          try {
            member.result = await member.work(runner);
            await runner.commitTransaction();
          } catch (error) {
            kept.pop();
            member.reject(error);
            await runner.rollbackTransaction(); // it fails where the failure has ended the whole transaction
          }
        } while (this.waiting.length > 0 && isOpen());
      });
      for (const { resolve, result } of kept) resolve(result);
    } catch (error) {
      if (begun === 0) return this.waiting.shift()?.reject(error);
      if (begun === 1) return kept[0]?.reject(error);
      // Which one is at fault is unknown (a foreign key, say, that is checked at the commit), or it was one already rejected.
      this.waiting.unshift(...kept);
      for (let left = kept.length; left > 0; left -= 1) await this.commit(true);
    }
  }
}

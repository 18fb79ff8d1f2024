import type { QueryRunner } from 'typeorm';
import { TransactionEndError } from './errors.js';

/**
 * Reserves the end of a query runner's transaction for the caller, who gets the functions returned: the runner's other users
 * may begin and end transactions within it.
 *
 * @param depth how many transactions, one within the other, are not theirs to end.
 */
export function keepEnd(
  runner: QueryRunner,
  depth: number,
): Pick<QueryRunner, 'commitTransaction' | 'release'> {
  const { commitTransaction, rollbackTransaction, release } = runner;
  const within = (end: () => Promise<void>) => async () => {
    if (depthOf(runner) <= depth) throw new TransactionEndError();
    await end.call(runner);
  };
  Object.assign(runner, {
    commitTransaction: within(commitTransaction),
    rollbackTransaction: within(rollbackTransaction),
    release: () => Promise.reject(new TransactionEndError()),
  });
  return {
    // While one is open within it (a forgotten `await`), TypeORM ends that one, and sends no COMMIT.
    commitTransaction: async () => {
      do await commitTransaction.call(runner);
      while (runner.isTransactionActive);
    },
    release: () => release.call(runner),
  };
}

/** How many transactions, one within the other, are open on a query runner. */
export const depthOf = (runner: QueryRunner): number =>
  (runner as unknown as { transactionDepth: number }).transactionDepth;

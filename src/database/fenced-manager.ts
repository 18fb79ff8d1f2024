import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { TransactionEndError, TransactionOverError } from './errors.js';

/** An entity manager for one transaction, and what ends its use. */
export interface FencedManager {
  manager: EntityManager;
  /** From now on everything that is asked of the manager fails with a TransactionOverError. */
  close(): void;
}

/**
 * Lends out a query runner for one transaction. SQLite's is shared by everybody: whoever went on with it after the end
 * of their transaction (a forgotten `await`, work past its deadline) would write into somebody else's.
 */
export function fencedManager(dataSource: DataSource, shared: QueryRunner): FencedManager {
  let open = true;
  const lent = Object.create(shared) as QueryRunner;
  const manager = dataSource.createEntityManager(lent);
  const query: QueryRunner['query'] = async (...statement: Parameters<QueryRunner['query']>) => {
    if (!open) throw new TransactionOverError();
    return shared.query(...statement);
  };
  Object.defineProperty(lent, 'query', { value: query });
  Object.defineProperty(lent, 'manager', { value: manager });
  keepEnd(lent, depthOf(shared));
  return { manager, close: () => void (open = false) };
}

/**
 * Keeps the end of a query runner's transaction for whoever gets what is returned: its other users may begin and end
 * transactions within it.
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
    commitTransaction: () => commitTransaction.call(runner),
    release: () => release.call(runner),
  };
}

const depthOf = (runner: QueryRunner): number =>
  (runner as unknown as { transactionDepth: number }).transactionDepth;

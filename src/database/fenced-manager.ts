import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { TransactionEndError, TransactionLostError, TransactionOverError } from './errors.js';

interface SqliteConnection {
  readonly inTransaction: boolean;
}

/** An entity manager for one transaction, and what ends its use. */
export interface FencedManager {
  manager: EntityManager;
  /** Resolves once every statement that was asked for has been run. @throws what has ended the transaction before its time. */
  settled(): Promise<void>;
  /** From now on everything that is asked of the manager fails with a TransactionOverError. */
  close(): void;
}

/**
 * Lends out a query runner for one transaction. SQLite's is shared by everybody: whoever went on with it after the end
 * of their transaction (a forgotten `await`, work past its deadline) would write into somebody else's. And SQLite ends a
 * transaction by itself where it must (a full disk): whatever came then would be committed alone, an acknowledgement too.
 */
export async function fencedManager(dataSource: DataSource, shared: QueryRunner): Promise<FencedManager> {
  const connection: SqliteConnection = await shared.connect();
  let open = true;
  let ended: Error | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const requireTransaction = () => {
    if (ended !== undefined) throw ended;
  };
  const settled = async () => {
    for (let before; before !== last;) await (before = last);
    requireTransaction();
  };
  const run = async (statement: Parameters<QueryRunner['query']>) => {
    requireTransaction();
    if (!open) throw new TransactionOverError();
    try {
      const result = await shared.query(...statement);
      if (!connection.inTransaction) ended = new TransactionEndError();
      return result;
    } catch (error) {
      if (!connection.inTransaction) ended = new TransactionLostError(error);
      throw error;
    }
  };
  const lent = Object.create(shared) as QueryRunner;
  const manager = dataSource.createEntityManager(lent);
  // One after the other, as SQLite does them: none may be on its way when the one before ends the transaction.
  const query: QueryRunner['query'] = (...statement: Parameters<QueryRunner['query']>) => {
    const result = last.then(() => run(statement));
    last = result.catch(() => undefined);
    return result;
  };
  Object.defineProperty(lent, 'query', { value: query });
  Object.defineProperty(lent, 'manager', { value: manager });
  keepEnd(lent, depthOf(shared));
  return { manager, settled, close: () => void (open = false) };
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

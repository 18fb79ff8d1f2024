import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { TransactionEndError, TransactionLostError, TransactionOverError } from './errors.js';

interface SqliteConnection {
  readonly inTransaction: boolean;
}

/** A statement that ends a transaction, and not only one within it. */
const END = /^\s*(?:COMMIT|END|ROLLBACK(?!\s+(?:TRANSACTION\s+)?TO\b))\b/i;

/** An entity manager for one transaction, and the function that ends its use. */
export interface FencedManager {
  manager: EntityManager;
  /** Resolves once every requested statement has run. @throws the error that has ended the transaction before its time. */
  settled(): Promise<void>;
  /** From now on every use of the manager fails with a TransactionOverError. */
  close(): void;
}

/**
 * Lends out a query runner for one transaction. SQLite's is shared by all: work that went on with it after the end of its
 * transaction (a forgotten `await`, a missed deadline) would write into another one. And SQLite ends a transaction by itself
 * where it must (a full disk): statements after that would be committed alone, an acknowledgement too.
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
    // Others may share the commit: theirs would be done as well, and then once more, because this one has failed.
    if (END.test(statement[0])) throw (ended = new TransactionEndError());
    try {
      const result = await shared.query(...statement);
      if (!connection.inTransaction) ended = new TransactionEndError();
      return result;
    } catch (error) {
      if (!connection.inTransaction) ended = new TransactionLostError('SQLite', error);
      throw error;
    }
  };
  const lent = Object.create(shared) as QueryRunner;
  const manager = dataSource.createEntityManager(lent);
  // One after the other, as SQLite runs them: none may be on its way when the one before ends the transaction.
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

const depthOf = (runner: QueryRunner): number =>
  (runner as unknown as { transactionDepth: number }).transactionDepth;

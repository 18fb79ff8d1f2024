import type { EntityManager, QueryRunner } from 'typeorm';
import { abandonable } from '../abandonable.js';
import {
  TransactionDeadlineError,
  TransactionEndError,
  TransactionLostError,
  TransactionOverError,
} from '../errors.js';
import { depthOf, keepEnd } from '../keep-end.js';

interface SqliteConnection {
  readonly inTransaction: boolean;
}

/** A statement that ends a transaction, and not only one within it. */
const END = /^\s*(?:COMMIT|END|ROLLBACK(?!\s+(?:TRANSACTION\s+)?TO\b))\b/i;

/**
 * Does `work` in a transaction of a query runner that others use after it: it can neither end the transaction nor go on
 * after its end.
 *
 * @param deadline how long it has, milliseconds.
 * @throws TransactionDeadlineError when it takes too long, the error that has ended the transaction before its time, and
 *   whatever `work` throws.
 */
export async function runFenced<T>(
  runner: QueryRunner,
  work: (manager: EntityManager) => Promise<T>,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  const { manager, settled, close } = await fencedManager(runner);
  const started = performance.now();
  const tooLong = new TransactionDeadlineError(deadline);
  try {
    const limit = { after: deadline, error: tooLong };
    const working = async () => {
      const result = await work(manager);
      await settled(); // a forgotten `await` is no reason to commit a part
      return result;
    };
    const result = await abandonable(working, { signal, limit });
    // Work that kept the event loop busy kept the timer from firing, too.
    if (performance.now() - started > deadline) throw tooLong;
    return result;
  } finally {
    close();
  }
}

/** An entity manager for one transaction, and the function that ends its use. */
interface FencedManager {
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
async function fencedManager(shared: QueryRunner): Promise<FencedManager> {
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
  const manager = shared.dataSource.createEntityManager(lent);
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

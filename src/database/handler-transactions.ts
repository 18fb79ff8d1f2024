import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { abandonable } from './abandonable.js';
import { HandlerDataSourceError, TransactionEndError, TransactionOverError } from './errors.js';
import { keepEnd } from './fenced-manager.js';
import { isConnectionLost } from './lost-connection.js';
import { ToldError } from '../logging/told-error.js';

/** What is needed of a host's DataSource; any release of TypeORM since 0.3 has it. */
export interface HandlerDataSource {
  readonly options: { readonly type: string };
  readonly isInitialized: boolean;
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
  createQueryRunner(): unknown;
}

interface PostgresConnection {
  query(sql: string): Promise<unknown>;
  end(): Promise<void>;
  /** What speaks to the server; not there where that is done in C (`pg-native`). */
  connection?: {
    on(event: 'readyForQuery', listener: (message: { status: string }) => void): unknown;
    off(event: 'readyForQuery', listener: (message: { status: string }) => void): unknown;
  };
}

/** How long the end of a transaction may take, once it was ended, before its connection is given up, milliseconds. */
const ROLLBACK_PATIENCE = 1_000;

/** Transactions on a PostgreSQL DataSource that can be given up at any moment. */
export class HandlerTransactions {
  constructor(private readonly dataSource: HandlerDataSource) {}

  /** @throws HandlerDataSourceError unless both are connected to the same database, see the same tables, and may acknowledge. */
  async requireSameDatabase(store: DataSource): Promise<void> {
    const where = `SELECT current_database() AS name, pg_postmaster_start_time()::text AS started,
        to_regclass('livekit_deliveries')::oid AS deliveries`;
    const [[ours], [theirs]] = (await Promise.all([store.query(where), this.dataSource.query(where)])) as [
      [object],
      [{ deliveries: unknown }],
    ];
    if (JSON.stringify(ours) === JSON.stringify(theirs)) return this.requirePrivileges();
    throw new HandlerDataSourceError(
      '`database.handlers` is connected to another database, or looks into another schema, than `database.url`: both must find ' +
        'the same table `livekit_deliveries`, or a handler and its acknowledgement could not be committed together',
    );
  }

  private async requirePrivileges(): Promise<void> {
    const [role] = (await this.dataSource.query(
      `SELECT current_user AS name,
         has_table_privilege('livekit_deliveries', 'SELECT') AND has_table_privilege('livekit_deliveries', 'UPDATE') AS may`,
    )) as [{ name: string; may: boolean }];
    if (role.may) return;
    throw new HandlerDataSourceError(
      `\`database.handlers\` is connected as \`${role.name}\`, who may not acknowledge deliveries: ` +
        `GRANT SELECT, UPDATE ON livekit_deliveries TO "${role.name}" (for \`appendIn\` also SELECT, INSERT on livekit_events, ` +
        'livekit_bodies and livekit_quarantine)',
    );
  }

  /**
   * Runs `work` in a transaction; `signal` rolls it back, and ends the wait for a server that does not answer. One that is
   * ended while it is committed may be kept all the same: a second later it is given up, and nobody knows.
   */
  async run<T>(work: (manager: EntityManager) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const unlessEnded = <Result>(step: () => Promise<Result>) => abandonable(step, { signal });
    signal?.throwIfAborted();
    const runner = this.dataSource.createQueryRunner() as QueryRunner;
    const connecting: Promise<PostgresConnection> = runner.connect();
    const connection = await unlessEnded(() => connecting).catch((error: unknown) => {
      connecting.then(() => runner.release()).catch(() => undefined); // should it come yet, it is its pool's
      throw error;
    });
    const { commitTransaction, release } = keepEnd(runner, 1);
    let forget = (): void => undefined;
    try {
      // In one snapshot for all of it, the acknowledgement would fail whenever the lease has been renewed meanwhile.
      await unlessEnded(() => runner.startTransaction('READ COMMITTED'));
      forget = refuseOnceEnded(runner, connection);
      const result = await unlessEnded(() => work(runner.manager));
      signal?.throwIfAborted();
      const committing = commitTransaction();
      // Once it is sent, a healthy server tells soon what became of it.
      await unlessEnded(() => committing).catch((error: Error) =>
        abandonable(() => committing, { limit: { after: ROLLBACK_PATIENCE, error } }),
      );
      return result;
    } catch (error) {
      refuseStatements(runner);
      await rollBack(connection);
      if (isConnectionLost(error)) giveUp(connection);
      throw error;
    } finally {
      forget();
      await release();
    }
  }

  async close(): Promise<void> {
    await (this.dataSource as DataSource).destroy();
  }
}

// Whoever sends COMMIT or ROLLBACK as a text has ended the transaction past us: what came then would be committed alone, the
// acknowledgement among it. The server says with each answer whether one is open.
function refuseOnceEnded(runner: QueryRunner, { connection }: PostgresConnection): () => void {
  let hasEnded = false;
  const heed = ({ status }: { status: string }) => {
    if (status === 'I') hasEnded = true;
  };
  connection?.on('readyForQuery', heed);
  const query = runner.query.bind(runner) as QueryRunner['query'];
  runner.query = (...statement: Parameters<QueryRunner['query']>) =>
    hasEnded ? Promise.reject(new TransactionEndError()) : query(...statement);
  return () => connection?.off('readyForQuery', heed);
}

// Whoever was given up goes on by themselves: behind the rollback their statements would be committed one by one, the
// acknowledgement among them.
function refuseStatements(runner: QueryRunner): void {
  runner.query = () => Promise.reject(new TransactionOverError());
}

// TypeORM would roll back to the savepoint only where the work was given up in a transaction within the transaction. And a
// connection that is still busy with the abandoned work, or no longer answers, must not go back to the pool.
async function rollBack(connection: PostgresConnection): Promise<void> {
  try {
    await nextTurn(); // TypeORM may still be on its way to the connection with a statement
    const error = new ToldError('the rollback did not end in time');
    await abandonable(() => connection.query('ROLLBACK'), { limit: { after: ROLLBACK_PATIENCE, error } });
  } catch {
    giveUp(connection);
  }
}

const giveUp = (connection: PostgresConnection): void => void connection.end().catch(() => undefined);

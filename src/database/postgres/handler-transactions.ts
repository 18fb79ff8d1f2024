import type { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { ToldError } from '../../logging/told-error.js';
import { abandonable } from '../abandonable.js';
import { driverCode } from '../driver-code.js';
import {
  HandlerDataSourceError,
  TransactionEndError,
  TransactionLostError,
  TransactionOverError,
} from '../errors.js';
import { keepEnd } from '../keep-end.js';
import { isConnectionLost } from './lost-connection.js';

/** The parts of a host's DataSource that are needed; any release of TypeORM since 0.3 has them. */
export interface HandlerDataSource {
  readonly options: { readonly type: string };
  readonly isInitialized: boolean;
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
  createQueryRunner(): unknown;
}

interface PostgresConnection {
  query(sql: string): Promise<unknown>;
  end(): Promise<void>;
  /** The connection to the server; missing where that is written in C (`pg-native`). */
  connection?: EventEmitter<{ errorMessage: [error: Error]; readyForQuery: [{ status: string }] }>;
}

/** How long ending a transaction may take, once it was given up, before its connection is closed, milliseconds. */
const ROLLBACK_PATIENCE = 1_000;

/** PostgreSQL's code for a statement that it refuses because one before it in the transaction has failed. */
const ABORTED = '25P02';

/** Transactions on a PostgreSQL DataSource that can be given up at any moment. */
export class HandlerTransactions {
  /** What releases the connections that are in use. */
  private readonly releases = new Set<() => Promise<void>>();

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
   * Runs `work` in a transaction; `signal` rolls it back, and ends the wait for a server that does not answer. If that
   * happens during COMMIT, it may be committed all the same: a second later it is given up, its outcome unknown.
   */
  async run<T>(work: (manager: EntityManager) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const unlessEnded = <Result>(step: () => Promise<Result>) => abandonable(step, { signal });
    signal?.throwIfAborted();
    const runner = this.dataSource.createQueryRunner() as QueryRunner;
    const connecting: Promise<PostgresConnection> = runner.connect();
    const connection = await unlessEnded(() => connecting).catch((error: unknown) => {
      connecting.then(() => runner.release()).catch(() => undefined); // should it still connect, it goes back to its pool
      throw error;
    });
    const { commitTransaction, release } = keepEnd(runner, 1);
    this.releases.add(release);
    let end: ObservedEnd | undefined;
    try {
      // With one snapshot for all of it, the acknowledgement would fail whenever the lease has been renewed meanwhile.
      await unlessEnded(() => runner.startTransaction('READ COMMITTED'));
      end = observeEnd(runner, connection);
      const result = await unlessEnded(() => work(runner.manager));
      signal?.throwIfAborted();
      const committing = commitTransaction();
      // Once it is sent, a healthy server soon answers what became of it.
      await unlessEnded(() => committing).catch((error: Error) =>
        abandonable(() => committing, { limit: { after: ROLLBACK_PATIENCE, error } }),
      );
      const lost = end.lost();
      if (lost !== undefined) throw lost;
      return result;
    } catch (error) {
      refuseStatements(runner);
      await rollBack(connection);
      if (isConnectionLost(error)) giveUp(connection);
      throw (driverCode(error) === ABORTED ? end?.lost() : undefined) ?? error;
    } finally {
      end?.forget();
      this.releases.delete(release);
      await release();
    }
  }

  async close(): Promise<void> {
    for (const release of this.releases) await release(); // TypeORM's own attempt would be refused
    await (this.dataSource as DataSource).destroy();
  }
}

interface ObservedEnd {
  /** Tells of the statement that failed, if one did and was not undone: for its sake PostgreSQL answers COMMIT by rolling back. */
  lost(): TransactionLostError | undefined;
  forget(): void;
}

// COMMIT or ROLLBACK sent as text ends the transaction behind our back: later statements would be committed alone, the
// acknowledgement among them. And after a statement that failed, COMMIT rolls back, which is no error to PostgreSQL. It
// says with each answer whether the transaction goes on (T), can only be rolled back (E), or has ended (I).
function observeEnd(runner: QueryRunner, { connection }: PostgresConnection): ObservedEnd {
  let hasEnded = false;
  let failure: Error | undefined;
  const heedError = (error: Error) => {
    failure ??= error; // the first: what comes then is refused for its sake
  };
  const heedStatus = ({ status }: { status: string }) => {
    if (status === 'T') failure = undefined; // undone, by going back to a savepoint
    if (status === 'I') hasEnded = true;
  };
  connection?.on('errorMessage', heedError).on('readyForQuery', heedStatus);
  const query = runner.query.bind(runner) as QueryRunner['query'];
  runner.query = (...statement: Parameters<QueryRunner['query']>) =>
    hasEnded ? Promise.reject(new TransactionEndError()) : query(...statement);
  return {
    lost: () => failure && new TransactionLostError('PostgreSQL', failure),
    forget: () => void connection?.off('errorMessage', heedError).off('readyForQuery', heedStatus),
  };
}

// Work that was given up goes on by itself: after the rollback its statements would be committed one by one, the
// acknowledgement among them.
function refuseStatements(runner: QueryRunner): void {
  runner.query = () => Promise.reject(new TransactionOverError());
}

// TypeORM would only roll back to the savepoint if the work was given up in a nested transaction. And a connection that is
// still busy with the abandoned work, or no longer answers, must not go back to the pool.
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

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import type { EventStoreOptions } from '../event-store-options.js';
import type { StoreDatabase, TransactionLimits, Work } from '../store-database.js';
import { connect, type SqliteConnections, type SqliteLocation } from './connections.js';
import { runFenced } from './fenced-work.js';
import { GroupCommit } from './group-commit.js';
import { commitOffThread } from './off-thread.js';
import { setStage, type StagedWrite } from './staged-write.js';
import { type WriteLane, WriteLock } from './write-lock.js';

/** How long a host's transaction may hold the one writer, milliseconds: a webhook waits at most twice that long. */
const DEADLINE = 1_000;

/** SQLite, with one writer in one process: every write waits for its turn at it. */
export class SqliteDatabase implements StoreDatabase {
  readonly dialect = 'sqlite';
  readonly hasHostTransactions = true;
  private readonly writes = new WriteLock();
  private readonly groups = new GroupCommit(
    (work) => this.committing(work, 'other'),
    () => this.writes.isAppendWaiting,
  );

  private constructor(private readonly connections: SqliteConnections) {}

  /** Claims the file, connects and brings the schema up to date. @throws what `EventStore.open` does. */
  static async open(location: SqliteLocation, options: EventStoreOptions): Promise<SqliteDatabase> {
    return new SqliteDatabase(await connect(location, options));
  }

  transaction<T>(work: Work<T>, { signal, deadline = DEADLINE }: TransactionLimits): Promise<T> {
    return this.groups.run((runner) => runFenced(runner, work, deadline, signal));
  }

  hostTransaction<T>(work: Work<T>, limits: TransactionLimits): Promise<T> {
    return this.transaction(work, limits);
  }

  write<T>(work: Work<T>, lane: WriteLane): Promise<T> {
    return this.committing((runner) => work(runner.manager), lane);
  }

  writeStaged<T>(write: StagedWrite<T>): Promise<T> {
    return this.alone(async (runner) => {
      await setStage(runner.manager, write);
      await commitOffThread(runner, ...write.statements);
      return write.read(runner.manager);
    }, 'append');
  }

  read<T>(query: Work<T>): Promise<T> {
    // In memory there is one connection: a reader waits its turn, or it would see an open transaction's writes.
    const { reader, writer } = this.connections;
    if (reader === writer) return this.writes.run(() => query(writer.manager));
    return query(reader.manager);
  }

  listen(): Promise<() => Promise<void>> {
    return Promise.resolve(async () => undefined);
  }

  async emptyLogNow(): Promise<boolean> {
    const { file, writer } = this.connections;
    if (file === undefined) return true;
    const [result] = await this.writes.run(() =>
      writer.query<{ busy: number }[]>('PRAGMA wal_checkpoint(TRUNCATE)'),
    );
    return result?.busy === 0;
  }

  close(): Promise<void> {
    return this.writes.run(() => this.connections.close()); // what came before still has its turn
  }

  private committing<T>(work: (runner: QueryRunner) => Promise<T>, lane: WriteLane): Promise<T> {
    return this.alone(async (runner) => {
      const result = await work(runner);
      await commitOffThread(runner);
      return result;
    }, lane);
  }

  /** Begins a transaction on the one writer, which `write` has to itself until it has committed. */
  private alone<T>(write: (runner: QueryRunner) => Promise<T>, lane: WriteLane): Promise<T> {
    return this.writes.run(async () => {
      this.connections.file?.requireInPlace();
      const runner = this.connections.writer.createQueryRunner();
      try {
        await runner.startTransaction();
        return await write(runner);
      } catch (error) {
        await endTransaction(runner);
        throw error;
      } finally {
        // SQLite runs in this process: webhooks that came meanwhile are read only now, and are to go first.
        if (lane === 'other') await nextTurn();
      }
    }, lane);
  }
}

// After a failure SQLite may have rolled back by itself (a full disk), or not at all (a failed COMMIT), and TypeORM can't
// know: ends what is open, and marks TypeORM's one shared runner as having no transaction.
async function endTransaction(runner: QueryRunner): Promise<void> {
  if (!runner.isTransactionActive) return;
  await runner.query('ROLLBACK').catch(() => undefined);
  Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 });
}

import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EntityManager, QueryRunner } from 'typeorm';
import { abandonable } from './abandonable.js';
import { despiteConflicts } from './conflicts.js';
import { connect, type Connections, type EventStoreOptions } from './connections.js';
import { TransactionDeadlineError } from './errors.js';
import { fencedManager } from './fenced-manager.js';
import { GroupCommit } from './group-commit.js';
import { isConnectionLost } from './lost-connection.js';
import { commitOffThread } from './off-thread.js';
import type { PipelinedWrite } from './pipelined-writer.js';
import { listenOnPostgres } from './postgres-listener.js';
import { type Dialect, SqlParameters } from './sql.js';
import { setStage, type StagedWrite } from './staged-write.js';
import { type WriteLane, WriteLock } from './write-lock.js';

/** How long a host's transaction may hold SQLite's one writer, milliseconds: a webhook waits at most twice that long. */
const SQLITE_TRANSACTION_DEADLINE = 1_000;

/** How long transactions may go on when the store is closed, milliseconds. */
const CLOSING_PATIENCE = 1_000;

/** What is done in a transaction. */
type Work<T> = (manager: EntityManager) => Promise<T>;

/**
 * The database under the event log: our own connections, apart from the host's, so that a webhook never queues
 * behind the host's work. SQLite has one writer: there every write, a host's too, goes through `transaction`.
 */
export class EventStore {
  private constructor(private readonly connections: Connections) {}

  private readonly writes = new WriteLock();
  private readonly groups = new GroupCommit(
    (work) => this.onFile(work, 'other'),
    () => this.writes.isAppendWaiting,
  );
  private readonly afterCommits = new WeakMap<EntityManager, (() => void)[]>();
  /** The transactions in progress. */
  private readonly open = new Set<Promise<unknown>>();
  private closing: Promise<void> | undefined;

  /**
   * Connects, claims the file (SQLite) and brings the schema up to date.
   *
   * @throws DatabaseConfigurationError, DatabaseUnreachableError, DatabaseInUseError, HandlerDataSourceError, HalfMovedStoreError,
   *   StoreMovedError, PendingMigrationsError, or the driver's own error.
   */
  static async open(options: EventStoreOptions): Promise<EventStore> {
    return new EventStore(await connect(options));
  }

  /** The SQL dialect that it speaks. */
  get dialect(): Dialect {
    return this.connections.dialect;
  }

  /** Whether a handler of the host's can have a transaction for both its writes and its acknowledgement. */
  get hasHostTransactions(): boolean {
    return this.dialect === 'sqlite' || this.connections.hostHandlers !== undefined;
  }

  /**
   * Runs `work` in one transaction: all of its writes are on the disk when the promise resolves, or none is. On SQLite,
   * where webhooks wait behind it, it has a second; transactions that wait at the same time share a commit, and if that
   * fails, `work` is done once more, in a transaction of its own.
   *
   * @param options.signal rolls it back; on PostgreSQL, once its COMMIT is on its way, it may be committed all the same.
   * @throws TransactionDeadlineError on SQLite when it takes too long, TransactionLostError when the database has
   *   rolled it back for a statement that failed, and `work` has gone on, and whatever `work` throws.
   */
  transaction<T>(work: Work<T>, { signal }: { signal?: AbortSignal } = {}): Promise<T> {
    return this.ourTransaction(work, { signal, deadline: SQLITE_TRANSACTION_DEADLINE });
  }

  /** Like `transaction`, for a handler of ours. @param options.deadline how long it has on SQLite, milliseconds. */
  ourTransaction<T>(
    work: Work<T>,
    { signal, deadline }: { signal?: AbortSignal | undefined; deadline: number },
  ): Promise<T> {
    const { handlers } = this.connections;
    return this.announcing(work, (watched) =>
      handlers !== undefined
        ? handlers.run(watched, signal)
        : this.groups.run((runner) => this.fenced(runner, watched, deadline, signal)),
    );
  }

  /** Like `transaction`, for a handler of the host's: on PostgreSQL, in a transaction of the host's DataSource. */
  hostTransaction<T>(work: Work<T>, options: { signal?: AbortSignal } = {}): Promise<T> {
    const { hostHandlers } = this.connections;
    if (hostHandlers === undefined) return this.transaction(work, options);
    return this.announcing(work, (watched) => hostHandlers.run(watched, options.signal));
  }

  /** Runs a short write of ours in one transaction: `work` is done again when PostgreSQL aborts it for another's sake. */
  write<T>(work: Work<T>, lane: WriteLane = 'other'): Promise<T> {
    return this.announcing(work, (watched) =>
      this.dialect === 'postgres'
        ? despiteConflicts(() => this.onServer((manager) => manager.transaction(watched)))
        : this.onFile((runner) => watched(runner.manager), lane),
    );
  }

  /** Runs a staged write of webhooks, and its commit, while the event loop goes on. For SQLite. */
  writeStaged<T>(write: StagedWrite<T>): Promise<T> {
    return this.alone(async (runner) => {
      await setStage(runner.manager, write);
      await commitOffThread(runner, ...write.statements);
      return write.read(runner.manager);
    }, 'append');
  }

  /** Runs a write of webhooks that is one statement, and its commit, in one round trip. For PostgreSQL. */
  writePipelined<Row extends object>(write: PipelinedWrite): Promise<Row[]> {
    const { pipelined } = this.connections;
    if (pipelined === undefined) throw new TypeError('SQLite has no round trips: `writeStaged`');
    return despiteConflicts(() => pipelined.write<Row>(write));
  }

  /** Calls `announce` once the transaction of this manager is committed. Not for managers that are not of this store. */
  afterCommit(manager: EntityManager, announce: () => void): void {
    this.afterCommits.get(manager)?.push(announce);
  }

  /** Runs queries that only read, over what is committed. */
  read<T>(query: (manager: EntityManager) => Promise<T>): Promise<T> {
    if (this.dialect === 'postgres') return this.onServer(query);
    // In memory there is one connection: a reader waits its turn, or it would see an open transaction's writes.
    const { reader, writer } = this.connections;
    if (reader === writer) return this.writes.run(() => query(writer.manager));
    return query(reader.manager);
  }

  /** Whether a manager is one of an open transaction of this store. */
  owns(manager: EntityManager): boolean {
    return this.afterCommits.has(manager);
  }

  /**
   * Listens for PostgreSQL's notifications on a channel, on a connection of its own.
   *
   * @param onLost is called when the connection is lost.
   * @returns a function that ends that.
   */
  listen(
    channel: string,
    onNotified: (payload: string) => void,
    onLost: () => void,
  ): Promise<() => Promise<void>> {
    if (this.dialect === 'sqlite') return Promise.resolve(async () => undefined);
    return listenOnPostgres(this.connections.listenUrl, channel, onNotified, onLost);
  }

  /** Resolves when the store can commit a write now, and rejects with the reason when it can't. */
  async ping(): Promise<void> {
    // A row that is inserted and deleted. A read would not notice a full disk or a read-only file, nor would rewriting a row
    // with what it holds: SQLite leaves its page alone. Its key is new, so that replicas don't wait for one another.
    const key = randomUUID();
    await this.write(async (manager) => {
      const p = new SqlParameters(this.dialect);
      await manager.query(
        `INSERT INTO livekit_quarantine (source, sha256, reason, raw, first_at, last_at, times)
         VALUES ('ping', ${p.add(key)}, 'ping', ${p.add(Buffer.alloc(0))}, 0, 0, 0)`,
        p.values,
      );
      const q = new SqlParameters(this.dialect);
      await manager.query(
        `DELETE FROM livekit_quarantine WHERE source = 'ping' AND sha256 = ${q.add(key)}`,
        q.values,
      );
    });
  }

  /**
   * Empties SQLite's write-ahead log into its file: deleted data may still be read in the log until then.
   *
   * @returns whether nothing is left in it.
   */
  async emptyLogNow(): Promise<boolean> {
    if (this.connections.file === undefined) return true;
    const [result] = await this.writes.run(() =>
      this.connections.writer.query<{ busy: number }[]>('PRAGMA wal_checkpoint(TRUNCATE)'),
    );
    return result?.busy === 0;
  }

  /**
   * Closes the connections once the transactions in progress have ended, which have a second, and releases the file; once,
   * however often it is called.
   */
  close(): Promise<void> {
    return (this.closing ??= this.closeSoon());
  }

  private async closeSoon(): Promise<void> {
    const limit = { after: CLOSING_PATIENCE, error: new Error('transactions go on') };
    await abandonable(() => Promise.allSettled(this.open), { limit }).catch(() => undefined);
    await this.writes.run(() => this.connections.close()); // what comes meanwhile on SQLite still has its turn
  }

  /** Has the work run in a transaction, maybe more than once; what the last run announces is announced once committed. */
  private async announcing<T>(work: Work<T>, run: (watched: Work<T>) => Promise<T>): Promise<T> {
    let announcements: (() => void)[] = [];
    const running = run((manager) => {
      announcements = [];
      this.afterCommits.set(manager, announcements);
      return work(manager).finally(() => this.afterCommits.delete(manager));
    });
    this.open.add(running);
    const result = await running.finally(() => this.open.delete(running));
    for (const announce of announcements) announce();
    return result;
  }

  private onFile<T>(work: (runner: QueryRunner) => Promise<T>, lane: WriteLane): Promise<T> {
    return this.alone(async (runner) => {
      const result = await work(runner);
      await commitOffThread(runner);
      return result;
    }, lane);
  }

  /** Begins a transaction on SQLite's one writer, which `write` has to itself until it has committed. */
  private alone<T>(write: (runner: QueryRunner) => Promise<T>, lane: WriteLane): Promise<T> {
    return this.writes.run(async () => {
      this.connections.file?.requireInPlace();
      const runner = this.connections.writer.createQueryRunner();
      try {
        await runner.startTransaction();
        return await write(runner);
      } catch (error) {
        await this.endTransaction(runner);
        throw error;
      } finally {
        // SQLite runs in this process: webhooks that came meanwhile are read only now, and are to go first.
        if (lane === 'other') await nextTurn();
      }
    }, lane);
  }

  private async fenced<T>(
    runner: QueryRunner,
    work: Work<T>,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { manager, settled, close } = await fencedManager(this.connections.writer, runner);
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

  private async onServer<T>(work: Work<T>): Promise<T> {
    const runner = this.connections.writer.createQueryRunner();
    const connection: PostgresConnection = await runner.connect();
    try {
      return await work(runner.manager);
    } catch (error) {
      if (isConnectionLost(error)) void connection.end().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
  }

  /**
   * After a failure SQLite may have rolled back by itself (a full disk), or not at all (a failed COMMIT), and TypeORM can't
   * know: ends what is open, and marks TypeORM's one shared runner as having no transaction.
   */
  private async endTransaction(runner: QueryRunner): Promise<void> {
    if (!runner.isTransactionActive) return;
    await runner.query('ROLLBACK').catch(() => undefined);
    Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 });
  }
}

interface PostgresConnection {
  end(): Promise<void>;
}

import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { abandonable } from './abandonable.js';
import { type EventStoreOptions, requireLocation } from './event-store-options.js';
import type { PipelinedWrite } from './postgres/pipelined-writer.js';
import { PostgresDatabase } from './postgres/postgres-database.js';
import { type Dialect, SqlParameters } from './sql.js';
import { SqliteDatabase } from './sqlite/sqlite-database.js';
import type { StagedWrite } from './sqlite/staged-write.js';
import type { WriteLane } from './sqlite/write-lock.js';
import type { StoreDatabase, Work } from './store-database.js';

/** How long transactions may go on when the store is closed, milliseconds. */
const CLOSING_PATIENCE = 1_000;

/**
 * The database under the event log: our own connections, apart from the host's, so that a webhook never queues
 * behind the host's work. SQLite has one writer: there every write, a host's too, goes through `transaction`.
 */
export class EventStore {
  private constructor(private readonly database: StoreDatabase) {}

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
    const location = requireLocation(options);
    return new EventStore(
      location.dialect === 'sqlite'
        ? await SqliteDatabase.open(location, options)
        : await PostgresDatabase.open(options),
    );
  }

  /** The SQL dialect that it speaks. */
  get dialect(): Dialect {
    return this.database.dialect;
  }

  /**
   * Whether a handler of the host's can have a transaction for both its writes and its acknowledgement.
   *
   * @internal
   */
  get hasHostTransactions(): boolean {
    return this.database.hasHostTransactions;
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
    return this.announcing(work, (watched) => this.database.transaction(watched, { signal }));
  }

  /**
   * Like `transaction`, for a handler of ours.
   *
   * @internal
   * @param options.deadline how long it has on SQLite, milliseconds.
   */
  ourTransaction<T>(
    work: Work<T>,
    limits: { signal?: AbortSignal | undefined; deadline: number },
  ): Promise<T> {
    return this.announcing(work, (watched) => this.database.transaction(watched, limits));
  }

  /**
   * Like `transaction`, for a handler of the host's: on PostgreSQL, in a transaction of the host's DataSource.
   *
   * @internal
   */
  hostTransaction<T>(work: Work<T>, { signal }: { signal?: AbortSignal } = {}): Promise<T> {
    return this.announcing(work, (watched) => this.database.hostTransaction(watched, { signal }));
  }

  /**
   * Runs a short write of ours in one transaction: `work` is done again when PostgreSQL aborts it for another's sake.
   *
   * @internal
   */
  write<T>(work: Work<T>, lane: WriteLane = 'other'): Promise<T> {
    return this.announcing(work, (watched) => this.database.write(watched, lane));
  }

  /**
   * Runs a staged write of webhooks, and its commit, while the event loop goes on. For SQLite.
   *
   * @internal
   */
  writeStaged<T>(write: StagedWrite<T>): Promise<T> {
    if (this.database.writeStaged === undefined) {
      throw new TypeError('PostgreSQL has no stage: `writePipelined`');
    }
    return this.database.writeStaged(write);
  }

  /**
   * Runs a write of webhooks that is one statement, and its commit, in one round trip. For PostgreSQL.
   *
   * @internal
   */
  writePipelined<Row extends object>(write: PipelinedWrite): Promise<Row[]> {
    if (this.database.writePipelined === undefined) {
      throw new TypeError('SQLite has no round trips: `writeStaged`');
    }
    return this.database.writePipelined<Row>(write);
  }

  /**
   * Calls `announce` once the transaction of this manager is committed. Not for managers that are not of this store.
   *
   * @internal
   */
  afterCommit(manager: EntityManager, announce: () => void): void {
    this.afterCommits.get(manager)?.push(announce);
  }

  /** Runs queries that only read, over what is committed. */
  read<T>(query: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.database.read(query);
  }

  /**
   * Whether a manager is one of an open transaction of this store.
   *
   * @internal
   */
  owns(manager: EntityManager): boolean {
    return this.afterCommits.has(manager);
  }

  /**
   * Listens for PostgreSQL's notifications on a channel, on a connection of its own.
   *
   * @internal
   * @param onLost is called when the connection is lost.
   * @returns a function that ends that.
   */
  listen(
    channel: string,
    onNotified: (payload: string) => void,
    onLost: () => void,
  ): Promise<() => Promise<void>> {
    return this.database.listen(channel, onNotified, onLost);
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
   * @internal
   * @returns whether nothing is left in it.
   */
  emptyLogNow(): Promise<boolean> {
    return this.database.emptyLogNow();
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
    await this.database.close();
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
}

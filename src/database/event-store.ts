import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type DataSource, type EntityManager, type QueryRunner, TypeORMError } from 'typeorm';
import { abandonable } from './abandonable.js';
import { despiteConflicts } from './conflicts.js';
import { createDataSource, type DataSourceSettings, POOL_SIZE } from './data-source.js';
import { type DatabaseLocation, parseDatabaseUrl, toldUrl } from './database-url.js';
import {
  DatabaseConfigurationError,
  DatabaseUnreachableError,
  HandlerDataSourceError,
  TransactionDeadlineError,
} from './errors.js';
import { fencedManager } from './fenced-manager.js';
import { GroupCommit } from './group-commit.js';
import { type HandlerDataSource, HandlerTransactions } from './handler-transactions.js';
import { migrate, type MigrationsMode } from './migrate.js';
import { refuseMovedStore } from './moving/marks.js';
import { isConnectionLost } from './lost-connection.js';
import { commitOffThread } from './off-thread.js';
import { OpenedFile } from './opened-file.js';
import { type PipelinedWrite, PipelinedWriter } from './pipelined-writer.js';
import { listenOnPostgres } from './postgres-listener.js';
import { claimForThisProcess } from './single-process.js';
import { type Dialect, Parameters, valuesList } from './sql.js';
import { setStage, type StagedWrite } from './staged-write.js';
import { type WriteLane, WriteLock } from './write-lock.js';

/** Where the events are stored, and who looks after the schema. */
export interface EventStoreOptions {
  /** `file:./data/voice.sqlite`, `:memory:` (nothing survives a restart) or `postgres://…`. */
  url: string;
  /** `run` (the default), `check` or `none`. */
  migrations?: MigrationsMode | undefined;
  /** Connections in the pool that everything but appending goes through (PostgreSQL), 10 by default. */
  poolSize?: number | undefined;
  /**
   * Where PostgreSQL's notifications are heard, `url` by default: the server itself where `url` leads to a pooler that
   * passes none on (PgBouncer in transaction mode).
   */
  listenUrl?: string | undefined;
  /**
   * The host's DataSource over the same PostgreSQL database: transactional handlers run in its transactions, with its
   * entities. Not for SQLite, which has one writer: there they run on this store, with the `entities` below.
   */
  handlers?: HandlerDataSource | undefined;
  /** Entities of the host that live in this SQLite file, for transactional handlers and `EventStore.transaction`. */
  entities?: DataSourceSettings['entities'] | undefined;
  /** Migrations of the host's for their tables, run after ours. */
  entityMigrations?: DataSourceSettings['entityMigrations'] | undefined;
}

/** How long a host's transaction may hold SQLite's one writer, milliseconds: a webhook waits at most twice that long. */
export const SQLITE_TRANSACTION_DEADLINE = 1_000;

/** The code of SQLite's where a path holds no database, or none for us; libsql has none for one that is never opened. */
const NO_DATABASE = /^(?:SQLITE_(?:CANTOPEN|NOTADB|READONLY|PERM).*)?$/;

/** Connections to PostgreSQL for the transactions of handlers that are ours, apart from those of webhooks. */
const HANDLER_POOL = 4;

/**
 * The database under the event log: our own connections, apart from the host's, so that a webhook never queues
 * behind the host's work. SQLite has one writer: there every write, a host's too, goes through `transaction`.
 */
export class EventStore {
  private constructor(
    private readonly location: DatabaseLocation,
    private readonly listenUrl: string,
    private readonly writer: DataSource,
    private readonly reader: DataSource,
    private readonly file: OpenedFile | undefined,
    private readonly release: () => void,
    private readonly pipelined: PipelinedWriter | undefined,
    private readonly handlers: HandlerTransactions | undefined,
    private readonly hostHandlers: HandlerTransactions | undefined,
  ) {}

  private readonly writes = new WriteLock();
  private readonly groups = new GroupCommit(
    (work) => this.onFile(work, 'other'),
    () => this.writes.isAppendWaiting,
  );
  private readonly afterCommits = new WeakMap<EntityManager, (() => void)[]>();

  /**
   * Connects, claims the file (SQLite) and brings the schema up to date.
   *
   * @throws DatabaseConfigurationError, DatabaseUnreachableError, DatabaseInUseError, HalfMovedStoreError, StoreMovedError,
   *   PendingMigrationsError, or the driver's own error.
   */
  static async open(options: EventStoreOptions): Promise<EventStore> {
    const {
      url,
      migrations = 'run',
      poolSize = POOL_SIZE,
      listenUrl = url,
      handlers,
      entities = [],
      entityMigrations = [],
    } = options;
    const location = parseDatabaseUrl(url);
    if (!Number.isInteger(poolSize) || poolSize < 2) {
      throw new DatabaseConfigurationError(
        '`database.poolSize` must be a whole number of at least 2: one connection holds a lock while another migrates',
      );
    }
    if (parseDatabaseUrl(listenUrl).dialect !== location.dialect) {
      throw new DatabaseConfigurationError(
        '`database.listenUrl` must lead to the PostgreSQL database that `database.url` leads to; without PostgreSQL leave it out',
      );
    }
    if (handlers !== undefined) requirePostgres(location, handlers);
    const embedded = location.dialect === 'sqlite' && !location.inMemory;
    const release = embedded ? claimForThisProcess(location.path) : () => undefined;
    const opened: DataSource[] = [];
    try {
      const settings = { url, poolSize, entities, entityMigrations };
      const writer = await connected(settings, location);
      opened.push(writer);
      if (embedded) await requireDurableWrites(writer);
      await refuseMovedStore(writer);
      await migrate(writer, settings, migrations);
      // Readers of SQLite get a connection of their own: they see what is committed, and wait for no writer.
      const reader = embedded
        ? await createDataSource({ url, readOnly: true, entities }).initialize()
        : writer;
      if (reader !== writer) opened.push(reader);
      const file = embedded ? new OpenedFile(location.path) : undefined;
      const transactions =
        location.dialect === 'postgres'
          ? await createDataSource({ url, poolSize: HANDLER_POOL, entities }).initialize()
          : undefined;
      if (transactions !== undefined) opened.push(transactions);
      const pipelined = location.dialect === 'postgres' ? await PipelinedWriter.to(url) : undefined;
      const own = transactions && new HandlerTransactions(transactions);
      const hosts = handlers && new HandlerTransactions(handlers);
      await hosts?.requireSameDatabase(writer);
      return new EventStore(location, listenUrl, writer, reader, file, release, pipelined, own, hosts);
    } catch (error) {
      for (const dataSource of opened) await dataSource.destroy();
      release();
      throw error;
    }
  }

  /** Which SQL it speaks. */
  get dialect(): Dialect {
    return this.location.dialect;
  }

  /** Whether a handler of the host's can have a transaction that its writes and its acknowledgement share. */
  get hasHostTransactions(): boolean {
    return this.dialect === 'sqlite' || this.hostHandlers !== undefined;
  }

  /**
   * Runs `work` in one transaction: all of its writes are on the disk when the promise resolves, or none is. On SQLite,
   * where webhooks wait behind it, it has a second; those that wait at the same time share a commit, and where that fails
   * `work` is done once more, in a transaction of its own.
   *
   * @param options.signal gives it up, and rolls it back; on PostgreSQL, once its COMMIT is on its way, it may be kept all the same.
   * @throws TransactionDeadlineError on SQLite when it takes too long, TransactionLostError where SQLite has rolled it back and
   *   `work` has gone on, and whatever `work` throws.
   */
  transaction<T>(
    work: (manager: EntityManager) => Promise<T>,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<T> {
    if (this.handlers !== undefined)
      return this.announcing((watch) => this.handlers!.run(watch(work), signal));
    return this.announcing((watch) => this.groups.run((runner) => this.fenced(runner, watch(work), signal)));
  }

  /** The same for a handler of the host's: on PostgreSQL, in a transaction of the host's DataSource. */
  hostTransaction<T>(
    work: (manager: EntityManager) => Promise<T>,
    options: { signal?: AbortSignal } = {},
  ): Promise<T> {
    const { hostHandlers } = this;
    if (hostHandlers === undefined) return this.transaction(work, options);
    return this.announcing((watch) => hostHandlers.run(watch(work), options.signal));
  }

  /** Runs a short write of ours in one transaction: `work` is done again where PostgreSQL gives it up for another's sake. */
  write<T>(work: (manager: EntityManager) => Promise<T>, lane: WriteLane = 'other'): Promise<T> {
    if (this.dialect === 'postgres') {
      return this.announcing((watch) =>
        despiteConflicts(() => this.onServer((manager) => manager.transaction(watch(work)))),
      );
    }
    return this.announcing((watch) => this.onFile((runner) => watch(work)(runner.manager), lane));
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
    const { pipelined } = this;
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
    if (this.reader === this.writer) return this.writes.run(() => query(this.writer.manager));
    return query(this.reader.manager);
  }

  /** Whether a manager is one of an open transaction of this store. */
  owns(manager: EntityManager): boolean {
    return this.afterCommits.has(manager);
  }

  /**
   * Hears PostgreSQL's notifications on a channel, on a connection of its own.
   *
   * @param onLost is called when the connection is lost.
   * @returns what ends that.
   */
  listen(
    channel: string,
    onNotified: (payload: string) => void,
    onLost: () => void,
  ): Promise<() => Promise<void>> {
    if (this.dialect === 'sqlite') return Promise.resolve(async () => undefined);
    return listenOnPostgres(this.listenUrl, channel, onNotified, onLost);
  }

  /** Resolves when the store can commit a write now, and rejects with the reason when it can't. */
  async ping(): Promise<void> {
    // A row that comes and goes. A read would not notice a full disk or a read-only file, nor would a row rewritten
    // with what it holds: SQLite leaves its page alone. It has a new key so that replicas don't wait for one another.
    const key = ['ping', randomUUID()] as const;
    const row = valuesList(this.dialect, [[...key, 'ping', Buffer.alloc(0), 0, 0, 0]]);
    const found = new Parameters(this.dialect);
    await this.write(async (manager) => {
      await manager.query(
        `INSERT INTO livekit_quarantine (source, sha256, reason, raw, first_at, last_at, times) VALUES ${row.text}`,
        row.parameters,
      );
      await manager.query(
        `DELETE FROM livekit_quarantine WHERE ${found.isOneOfPairs('source, sha256', [key])}`,
        found.values,
      );
    });
  }

  /**
   * Empties SQLite's write-ahead log into its file: what was deleted may still be read in the log until then.
   *
   * @returns whether nothing is left in it.
   */
  async emptyLogNow(): Promise<boolean> {
    if (this.file === undefined) return true;
    const [result] = await this.writes.run(() =>
      this.writer.query<{ busy: number }[]>('PRAGMA wal_checkpoint(TRUNCATE)'),
    );
    return result?.busy === 0;
  }

  /** Closes the connections, and lets go of the file. */
  async close(): Promise<void> {
    if (this.reader !== this.writer) await this.reader.destroy();
    await this.emptyLog();
    await this.pipelined?.close();
    await this.handlers?.close();
    await this.writer.destroy();
    this.release();
  }

  // libsql leaves that to the next opening, and whoever copies the file meanwhile would miss what is in its log.
  private async emptyLog(): Promise<void> {
    if (this.file === undefined) return;
    try {
      this.file.requireInPlace();
      await this.writer.query('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // then the log stays, and the next opening reads it
    }
  }

  /** Gives `run` what it wraps the work in, so that what the work announces is told after the commit, and only then. */
  private async announcing<T>(
    run: (
      watch: (work: (manager: EntityManager) => Promise<T>) => (manager: EntityManager) => Promise<T>,
    ) => Promise<T>,
  ): Promise<T> {
    let announcements: (() => void)[] = [];
    const result = await run((work) => (manager) => {
      announcements = [];
      this.afterCommits.set(manager, announcements);
      return work(manager).finally(() => this.afterCommits.delete(manager));
    });
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

  /** Begins a transaction on SQLite's one writer, which `write` has for itself until it has committed. */
  private alone<T>(write: (runner: QueryRunner) => Promise<T>, lane: WriteLane): Promise<T> {
    return this.writes.run(async () => {
      this.file?.requireInPlace();
      const runner = this.writer.createQueryRunner();
      try {
        await runner.startTransaction();
        return await write(runner);
      } catch (error) {
        await this.endTransaction(runner);
        throw error;
      } finally {
        // SQLite answers in this process, at once: only now are webhooks read that came meanwhile, to go first.
        if (lane === 'other') await nextTurn();
      }
    }, lane);
  }

  private async fenced<T>(
    runner: QueryRunner,
    work: (manager: EntityManager) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { manager, settled, close } = await fencedManager(this.writer, runner);
    const started = performance.now();
    const tooLong = new TransactionDeadlineError(SQLITE_TRANSACTION_DEADLINE);
    try {
      const limit = { after: SQLITE_TRANSACTION_DEADLINE, error: tooLong };
      const working = async () => {
        const result = await work(manager);
        await settled(); // a forgotten `await` is no reason to commit a part
        return result;
      };
      const result = await abandonable(working, { signal, limit });
      // Whoever kept the event loop busy kept the timer from firing, too.
      if (performance.now() - started > SQLITE_TRANSACTION_DEADLINE) throw tooLong;
      return result;
    } finally {
      close();
    }
  }

  private async onServer<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const runner = this.writer.createQueryRunner();
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
   * After a failure SQLite may have rolled back by itself (a full disk), or not at all (a failed COMMIT), and TypeORM
   * can't tell: end what is open, and tell TypeORM's one shared runner that nothing is.
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

function requirePostgres(location: DatabaseLocation, handlers: HandlerDataSource): void {
  if (location.dialect === 'postgres' && handlers.options.type === 'postgres') {
    if (handlers.isInitialized) return;
    throw new HandlerDataSourceError(
      '`database.handlers` is not connected yet: `await dataSource.initialize()` before it is given, or inject the one of `TypeOrmModule`',
    );
  }
  const cure =
    location.dialect === 'sqlite'
      ? 'SQLite has one writer, and a second connection to its file would write between ours: leave `handlers` out, give the ' +
        'entities of the file as `database.entities`, and write to it in `EventStore.transaction(…)` only'
      : `transactional handlers share a transaction with their acknowledgement, which is in PostgreSQL; this DataSource is of type \`${handlers.options.type}\``;
  throw new HandlerDataSourceError(`\`database.handlers\` can't be used: ${cure}`);
}

async function connected(settings: DataSourceSettings, location: DatabaseLocation): Promise<DataSource> {
  const dataSource = createDataSource(settings);
  try {
    return await dataSource.initialize();
  } catch (error) {
    if (error instanceof TypeORMError) throw error; // of entities, say
    if (location.dialect === 'postgres') throw new DatabaseUnreachableError(toldUrl(location.url), error);
    if (!NO_DATABASE.test((error as { code?: string }).code ?? '')) throw error;
    throw new DatabaseConfigurationError(
      `${location.path} is no SQLite database that this process may write to: ` +
        'give `database.url` (DATABASE_URL) the path of one, or of a file that is not there yet',
      { cause: error },
    );
  }
}

async function requireDurableWrites(dataSource: DataSource): Promise<void> {
  const [journal] = await dataSource.query<{ journal_mode: string }[]>('PRAGMA journal_mode');
  const [synchronous] = await dataSource.query<{ synchronous: number }[]>('PRAGMA synchronous');
  if (journal?.journal_mode === 'wal' && synchronous?.synchronous === 2) return;
  throw new DatabaseConfigurationError(
    `SQLite refuses write-ahead logging here (journal_mode ${journal?.journal_mode}, synchronous ${synchronous?.synchronous}): ` +
      'put the file on a local file system, not a network share',
  );
}

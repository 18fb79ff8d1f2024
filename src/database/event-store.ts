import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { createDataSource } from './data-source.js';
import { type DatabaseLocation, parseDatabaseUrl } from './database-url.js';
import { DatabaseConfigurationError } from './errors.js';
import { migrate, type MigrationsMode } from './migrate.js';
import { OpenedFile } from './opened-file.js';
import { claimForThisProcess } from './single-process.js';
import { type Dialect, valuesList } from './sql.js';
import { type WriteLane, WriteLock } from './write-lock.js';

/** Where the events are stored, and who looks after the schema. */
export interface EventStoreOptions {
  /** `file:./data/voice.sqlite`, `:memory:` (nothing survives a restart) or `postgres://…`. */
  url: string;
  /** `run` (the default), `check` or `none`. */
  migrations?: MigrationsMode;
  /** Connections in the pool (PostgreSQL), 10 unless told. */
  poolSize?: number;
}

/**
 * The database under the event log: our own connections, apart from the host's, so that a webhook never queues
 * behind the host's work. SQLite has one writer: there every write, a host's too, goes through `transaction`.
 */
export class EventStore {
  private constructor(
    private readonly location: DatabaseLocation,
    private readonly writer: DataSource,
    private readonly reader: DataSource,
    private readonly file: OpenedFile | undefined,
    private readonly release: () => void,
  ) {}

  private readonly writes = new WriteLock();

  /**
   * Connects, claims the file (SQLite) and brings the schema up to date.
   *
   * @throws DatabaseConfigurationError, DatabaseInUseError, PendingMigrationsError, or the driver's own error.
   */
  static async open({ url, migrations = 'run', poolSize = 10 }: EventStoreOptions): Promise<EventStore> {
    const location = parseDatabaseUrl(url);
    const embedded = location.dialect === 'sqlite' && !location.inMemory;
    if (embedded) mkdirSync(dirname(location.path), { recursive: true });
    const release = embedded ? claimForThisProcess(location.path) : () => undefined;
    const opened: DataSource[] = [];
    try {
      const writer = await createDataSource({ url, poolSize }).initialize();
      opened.push(writer);
      if (embedded) await requireDurableWrites(writer);
      await migrate(writer, migrations);
      // Readers of SQLite get a connection of their own: they see what is committed, and wait for no writer.
      const reader = embedded ? await createDataSource({ url, readOnly: true }).initialize() : writer;
      const file = embedded ? new OpenedFile(location.path) : undefined;
      return new EventStore(location, writer, reader, file, release);
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

  /** Runs `work` in one transaction: all of its writes are on the disk when the promise resolves, or none is. */
  transaction<T>(work: (manager: EntityManager) => Promise<T>, lane: WriteLane = 'other'): Promise<T> {
    if (this.dialect === 'postgres') return this.onServer((manager) => manager.transaction(work));
    return this.writes.run(async () => {
      this.file?.requireInPlace();
      try {
        return await this.writer.transaction(work);
      } catch (error) {
        await this.endTransaction();
        throw error;
      }
    }, lane);
  }

  /** Runs queries that only read, over what is committed. */
  read<T>(query: (manager: EntityManager) => Promise<T>): Promise<T> {
    if (this.dialect === 'postgres') return this.onServer(query);
    // In memory there is one connection: a reader waits its turn, or it would see an open transaction's writes.
    if (this.reader === this.writer) return this.writes.run(() => query(this.writer.manager));
    return query(this.reader.manager);
  }

  /** Resolves when the store can commit a write now, and rejects with the reason when it can't. */
  async ping(): Promise<void> {
    // A row that comes and goes. A read would not notice a full disk or a read-only file, nor would a row rewritten
    // with what it holds: SQLite leaves its page alone. It has a new key so that replicas don't wait for one another.
    const key = ['ping', randomUUID()];
    const row = valuesList(this.dialect, [[...key, 'ping', Buffer.alloc(0), 0, 0, 0]]);
    const found = valuesList(this.dialect, [key]);
    await this.transaction(async (manager) => {
      await manager.query(
        `INSERT INTO livekit_quarantine (source, sha256, reason, raw, first_at, last_at, times) VALUES ${row.text}`,
        row.parameters,
      );
      await manager.query(
        `DELETE FROM livekit_quarantine WHERE (source, sha256) IN (VALUES ${found.text})`,
        found.parameters,
      );
    });
  }

  /** Closes the connections, and lets go of the file. */
  async close(): Promise<void> {
    if (this.reader !== this.writer) await this.reader.destroy();
    await this.emptyLog();
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

  private async onServer<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const runner = this.writer.createQueryRunner();
    const connection: PostgresConnection = await runner.connect();
    try {
      return await work(runner.manager);
    } catch (error) {
      // A connection that no longer answers would go back to the pool, and be given out again.
      if (error instanceof Error && error.message === 'Query read timeout')
        void connection.end().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
  }

  /**
   * After a failure SQLite may have rolled back by itself (a full disk), or not at all (a failed COMMIT), and TypeORM
   * can't tell: end what is open, and tell TypeORM's one shared runner that nothing is.
   */
  private async endTransaction(): Promise<void> {
    const runner: QueryRunner = this.writer.createQueryRunner();
    if (!runner.isTransactionActive) return;
    await runner.query('ROLLBACK').catch(() => undefined);
    Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 });
  }
}

interface PostgresConnection {
  end(): Promise<void>;
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

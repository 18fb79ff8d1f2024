import { type DataSource, TypeORMError } from 'typeorm';
import { createDataSource, type DataSourceSettings, POOL_SIZE } from './data-source.js';
import { type DatabaseLocation, parseDatabaseUrl, toldUrl } from './database-url.js';
import { DatabaseConfigurationError, DatabaseUnreachableError, HandlerDataSourceError } from './errors.js';
import { type HandlerDataSource, HandlerTransactions } from './handler-transactions.js';
import { migrate, type MigrationsMode } from './migrate.js';
import { refuseMovedStore } from './moving/marks.js';
import { OpenedFile } from './opened-file.js';
import { PipelinedWriter } from './pipelined-writer.js';
import { claimForThisProcess } from './single-process.js';
import type { Dialect } from './sql.js';

/** Where the events are stored, and how the schema is kept up to date. */
export interface EventStoreOptions {
  /** `file:./data/voice.sqlite`, `:memory:` (nothing survives a restart) or `postgres://…`. */
  url: string;
  /** `run` (the default), `check` or `none`. */
  migrations?: MigrationsMode | undefined;
  /** Connections in the pool for everything but appending (PostgreSQL), 10 by default. */
  poolSize?: number | undefined;
  /**
   * Where to listen for PostgreSQL's notifications, `url` by default: the server itself where `url` leads to a pooler that
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

/** SQLite's codes for a path with no database that we may use; libsql gives none for one that can't be opened at all. */
const NO_DATABASE = /^(?:SQLITE_(?:CANTOPEN|NOTADB|READONLY|PERM).*)?$/;

/** Connections to PostgreSQL for the transactions of our own handlers, apart from those of webhooks. */
const HANDLER_POOL = 4;

/** The connections of a store to its database, apart from the host's. */
export interface Connections {
  dialect: Dialect;
  /** Where to listen for PostgreSQL's notifications. */
  listenUrl: string;
  /** SQLite's one writer, or PostgreSQL's pool. */
  writer: DataSource;
  /** For reading: on an SQLite file it sees what is committed, and waits for no writer. Elsewhere it is `writer`. */
  reader: DataSource;
  /** On SQLite, unless it is in memory. */
  file: OpenedFile | undefined;
  /** What appends webhooks on PostgreSQL. */
  pipelined: PipelinedWriter | undefined;
  /** Where transactions of handlers run on PostgreSQL. */
  handlers: HandlerTransactions | undefined;
  /** Where those of the host's handlers run, over the host's DataSource, if it gave one. */
  hostHandlers: HandlerTransactions | undefined;
  /** Closes them, and releases the file. */
  close(): Promise<void>;
}

/**
 * Connects, claims the file (SQLite) and brings the schema up to date.
 *
 * @throws what `EventStore.open` does.
 */
export async function connect(options: EventStoreOptions): Promise<Connections> {
  const {
    url,
    migrations = 'run',
    poolSize = POOL_SIZE,
    listenUrl = url,
    handlers: given,
    entities = [],
    entityMigrations = [],
  } = options;
  const location = parseDatabaseUrl(url);
  const { dialect } = location;
  requirePoolSize(poolSize);
  requireSameDialect(dialect, listenUrl);
  if (given !== undefined) requirePostgres(location, given);
  const embedded = location.dialect === 'sqlite' && !location.inMemory;
  const release = embedded ? claimForThisProcess(location.path) : () => undefined;
  const opened: DataSource[] = [];
  try {
    const settings = { url, poolSize, entities, entityMigrations };
    const writer = await connected(settings, location);
    opened.push(writer);
    if (embedded) await requireDurableWrites(writer);
    if (dialect === 'postgres') await requireUnicode(writer);
    await refuseMovedStore(writer);
    await migrate(writer, settings, migrations);
    const reader = embedded ? await createDataSource({ url, readOnly: true, entities }).initialize() : writer;
    if (reader !== writer) opened.push(reader);
    const file = embedded ? new OpenedFile(location.path) : undefined;
    const transactions =
      dialect === 'postgres'
        ? await createDataSource({ url, poolSize: HANDLER_POOL, entities }).initialize()
        : undefined;
    if (transactions !== undefined) opened.push(transactions);
    const handlers = transactions && new HandlerTransactions(transactions);
    const hostHandlers = given && new HandlerTransactions(given);
    await hostHandlers?.requireSameDatabase(writer);
    const pipelined = dialect === 'postgres' ? await PipelinedWriter.to(url) : undefined;
    const close = async (): Promise<void> => {
      if (reader !== writer) await reader.destroy();
      if (file !== undefined) await emptyLog(writer, file);
      await pipelined?.close();
      await handlers?.close();
      await writer.destroy();
      release();
    };
    return { dialect, listenUrl, writer, reader, file, pipelined, handlers, hostHandlers, close };
  } catch (error) {
    for (const dataSource of opened) await dataSource.destroy();
    release();
    throw error;
  }
}

function requirePoolSize(poolSize: number): void {
  if (Number.isInteger(poolSize) && poolSize >= 2) return;
  throw new DatabaseConfigurationError(
    '`database.poolSize` must be a whole number of at least 2: one connection holds a lock while another migrates',
  );
}

function requireSameDialect(dialect: Dialect, listenUrl: string): void {
  if (parseDatabaseUrl(listenUrl).dialect === dialect) return;
  throw new DatabaseConfigurationError(
    '`database.listenUrl` must lead to the PostgreSQL database that `database.url` leads to; without PostgreSQL leave it out',
  );
}

// libsql leaves that to the next opening, and a copy of the file made meanwhile would lack what is in its log.
async function emptyLog(writer: DataSource, file: OpenedFile): Promise<void> {
  try {
    file.requireInPlace();
    await writer.query('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // then the log stays, and the next opening reads it
  }
}

/** Of a name that it has no place for, PostgreSQL would store nothing. @throws DatabaseConfigurationError */
export async function requireUnicode(dataSource: DataSource): Promise<void> {
  const [row] = await dataSource.query<{ server_encoding: string }[]>('SHOW server_encoding');
  if (row?.server_encoding === 'UTF8') return;
  throw new DatabaseConfigurationError(
    `the PostgreSQL database is encoded in ${row?.server_encoding}, which can't hold every name: ` +
      "make one with `CREATE DATABASE … ENCODING UTF8 LOCALE 'C' TEMPLATE template0`",
  );
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

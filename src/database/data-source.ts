import Database from 'libsql';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { parseDatabaseUrl } from './database-url.js';
import { entities } from './entities/index.js';
import { migrations } from './migrations/index.js';

/**
 * How long SQLite itself waits for another connection's lock, in milliseconds. It blocks the event loop
 * meanwhile, so it is short; whoever can wait longer tries again.
 */
const SQLITE_BUSY_TIMEOUT = 50;

interface SqliteConnection {
  pragma(statement: string): unknown;
  prepare(sql: string): unknown;
}

interface PostgresConnection {
  on(event: 'error', listener: (error: Error) => void): unknown;
  query(sql: string): Promise<unknown>;
}

/** What sets one of our DataSources apart from another. */
export interface DataSourceSettings {
  /** `file:…`, `:memory:` or `postgres://…`. */
  url: string;
  /** Connections that only read are refused writes (SQLite). */
  readOnly?: boolean;
  /** Connections in the pool (PostgreSQL), 10 unless told. */
  poolSize?: number;
}

/** The TypeORM options of a DataSource over our tables; `ormconfig.ts` uses the same for the TypeORM CLI. */
export function dataSourceOptions({
  url,
  readOnly = false,
  poolSize = 10,
}: DataSourceSettings): DataSourceOptions {
  const location = parseDatabaseUrl(url);
  const common = {
    entities,
    migrations,
    migrationsTableName: 'livekit_migrations',
    migrationsTransactionMode: 'each',
    logging: false,
  } as const;
  if (location.dialect === 'postgres') {
    return {
      ...common,
      type: 'postgres',
      url: location.url,
      poolSize,
      applicationName: 'nestjs-livekit-webhooks',
      connectTimeoutMS: 2_000,
      installExtensions: false,
      // A server that hangs must not hang us with it: a statement is given up, and its webhook told to come again.
      extra: { query_timeout: 5_000, keepAlive: true, verify: readyConnection },
      poolErrorHandler: () => undefined, // an idle connection that dies is replaced by the next query's
    };
  }
  return {
    ...common,
    type: 'better-sqlite3',
    driver: Database,
    database: location.path,
    statementCacheSize: 1_000,
    prepareDatabase: (connection: SqliteConnection) => {
      connection.pragma(`busy_timeout = ${SQLITE_BUSY_TIMEOUT}`);
      if (!location.inMemory) connection.pragma('journal_mode = WAL');
      // FULL: a commit is on the disk before we answer, whatever happens to the power.
      connection.pragma('synchronous = FULL');
      if (readOnly)
        connection.pragma('query_only = ON'); // libsql ignores `readonly`
      else lockAtBegin(connection);
    },
  };
}

/** A DataSource over our tables, not yet connected. */
export const createDataSource = (settings: DataSourceSettings): DataSource =>
  new DataSource(dataSourceOptions(settings));

/**
 * TypeORM's transactions take the write lock at their first write. There a busy file leaves that statement in progress,
 * and libsql resets it no sooner than it is run again: until then no other transaction can commit
 * (`tursodatabase/libsql-js#237`). Taken at once, the lock is asked for by one statement, which every retry resets.
 */
function lockAtBegin(connection: SqliteConnection): void {
  const prepare = connection.prepare.bind(connection);
  connection.prepare = (sql) => prepare(sql === 'BEGIN TRANSACTION' ? 'BEGIN IMMEDIATE' : sql);
}

/** Makes a new connection to PostgreSQL ready for its first use; the pool calls it before anybody else has it. */
function readyConnection(connection: PostgresConnection, done: (error?: Error) => void): void {
  // The server may end it between the pool's hands and TypeORM's, and an error that nobody hears ends the process.
  connection.on('error', () => undefined);
  // Where the network parts us in the middle of a transaction, its locks must not outlive LiveKit's last attempt.
  connection.query('SET idle_in_transaction_session_timeout = 10000').then(() => done(), done);
}

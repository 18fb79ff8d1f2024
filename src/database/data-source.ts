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
      extra: { query_timeout: 5_000, keepAlive: true },
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
      if (readOnly) connection.pragma('query_only = ON'); // libsql ignores `readonly`
    },
  };
}

/** A DataSource over our tables, not yet connected. */
export const createDataSource = (settings: DataSourceSettings): DataSource =>
  new DataSource(dataSourceOptions(settings));

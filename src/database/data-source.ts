import { DataSource, type DataSourceOptions, type EntitySchema, type MigrationInterface } from 'typeorm';
import { parseDatabaseUrl } from './database-url.js';
import { entities } from './entities/index.js';
import { migrations } from './migrations/index.js';
import {
  BEGIN_MIGRATING,
  BEGIN_PATIENT,
  BEGIN_SERVING,
  POSTGRES_CONNECTION,
  settleAtBegin,
} from './postgres/settings.js';
import { Database } from './sqlite/libsql.js';
import { prepareConnection, type SqliteConnection } from './sqlite/prepare-connection.js';

/** Connections in a pool by default. */
export const POOL_SIZE = 10;

interface PostgresConnection {
  on(event: 'error', listener: (error: Error) => void): unknown;
  query(...statement: unknown[]): unknown;
}

/** The settings in which our DataSources differ. */
export interface DataSourceSettings {
  /** `file:…`, `:memory:` or `postgres://…`. */
  url: string;
  /** Connections that only read are refused writes (SQLite). */
  readOnly?: boolean;
  /** Connections in the pool (PostgreSQL), `POOL_SIZE` by default. */
  poolSize?: number;
  /** It is for migrations (PostgreSQL): their statements have no time limit, but wait for no table for long. */
  migrates?: boolean;
  /** How long a statement may take (PostgreSQL), milliseconds, as in `POSTGRES_CONNECTION` by default; 0: no limit. */
  statementTimeout?: number;
  /** Entities of the host, besides ours. */
  entities?: readonly (EntitySchema | (new () => object))[];
  /** Migrations of the host, besides ours. */
  entityMigrations?: readonly (new () => MigrationInterface)[];
}

function dataSourceOptions({
  url,
  readOnly = false,
  poolSize = POOL_SIZE,
  migrates = false,
  statementTimeout = migrates ? 0 : POSTGRES_CONNECTION.query_timeout,
  entities: hostEntities = [],
  entityMigrations = [],
}: DataSourceSettings): DataSourceOptions {
  const location = parseDatabaseUrl(url);
  const common = {
    entities: [...entities, ...hostEntities],
    migrations: [...migrations, ...entityMigrations],
    migrationsTableName: 'livekit_migrations',
    migrationsTransactionMode: 'each' as const,
    logging: false as const,
    logger: 'debug' as const, // what fails is thrown, and reported by its caller
  };
  if (location.dialect === 'postgres') {
    const serving = statementTimeout === 0 ? BEGIN_PATIENT : BEGIN_SERVING;
    const begin = migrates ? BEGIN_MIGRATING : serving;
    return {
      ...common,
      type: 'postgres',
      url: location.url,
      poolSize,
      installExtensions: false,
      extra: {
        ...POSTGRES_CONNECTION,
        query_timeout: statementTimeout,
        verify: (connection: PostgresConnection, done: () => void) => {
          // The server may end it between the pool's hands and TypeORM's, and an error without a listener ends the process.
          connection.on('error', () => undefined);
          settleAtBegin(connection, begin);
          done();
        },
      },
      poolErrorHandler: () => undefined, // an idle connection that dies is replaced by the next query's
    };
  }
  return {
    ...common,
    type: 'better-sqlite3',
    driver: Database,
    database: location.path,
    statementCacheSize: 1_000,
    prepareDatabase: (connection: SqliteConnection) =>
      prepareConnection(connection, { inMemory: location.inMemory, readOnly }),
  };
}

/** A DataSource over our tables, not yet connected. */
export const createDataSource = (settings: DataSourceSettings): DataSource =>
  new DataSource(dataSourceOptions(settings));

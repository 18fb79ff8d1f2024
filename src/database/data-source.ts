import { DataSource, type DataSourceOptions, type EntitySchema, type MigrationInterface } from 'typeorm';
import { lockKey } from './advisory-locks.js';
import { parseDatabaseUrl } from './database-url.js';
import { entities } from './entities/index.js';
import { migrations } from './migrations/index.js';
import { Database } from './sqlite/libsql.js';
import { MAKE_STAGE } from './sqlite/staged-write.js';

/**
 * How long SQLite itself waits for another connection's lock, in milliseconds. It blocks the event loop meanwhile, so it is
 * short; callers that can wait longer try again.
 */
const SQLITE_BUSY_TIMEOUT = 50;

/** Connections in a pool by default. */
export const POOL_SIZE = 10;

interface SqliteConnection {
  exec(statements: string): unknown;
  pragma(statement: string): unknown;
  prepare(sql: string): unknown;
}

/** The settings of every connection of ours to PostgreSQL, as `pg` names them; times in milliseconds. */
export const POSTGRES_CONNECTION = {
  connectionTimeoutMillis: 2_000,
  // A server that hangs must not hang us with it: LiveKit is told to retry its webhook.
  query_timeout: 5_000,
  keepAlive: true,
  application_name: 'nestjs-livekit-webhooks',
};

/** How long a migration waits for a table in use, milliseconds: transactions that come meanwhile wait behind it. */
const MIGRATION_LOCK_TIMEOUT = 500;

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
    prepareDatabase: (connection: SqliteConnection) => {
      connection.pragma(`busy_timeout = ${SQLITE_BUSY_TIMEOUT}`);
      if (!location.inMemory) connection.pragma('journal_mode = WAL');
      // FULL: a commit is on the disk before we answer, whatever happens to the power.
      connection.pragma('synchronous = FULL');
      // Deleted data is overwritten, or it could still be read in the file: that costs no measurable throughput.
      connection.pragma('secure_delete = ON');
      // Holds the pages that a batch of events of as many rooms touches in a large file (KiB; SQLite's default is 2 MB).
      connection.pragma('cache_size = -32000');
      if (readOnly) {
        connection.pragma('query_only = ON'); // libsql ignores `readonly`
        return;
      }
      // Pages that are written again and again go into the file once per 16 MB of log, not per 4 MB as by default.
      connection.pragma('wal_autocheckpoint = 4000');
      connection.exec(MAKE_STAGE);
      lockAtBegin(connection);
    },
  };
}

/** A DataSource over our tables, not yet connected. */
export const createDataSource = (settings: DataSourceSettings): DataSource =>
  new DataSource(dataSourceOptions(settings));

/**
 * TypeORM's transactions take the write lock at their first write. If the file is busy then, that statement stays in
 * progress, and libsql resets it only when it is run again: until then no other transaction can commit
 * (`tursodatabase/libsql-js#237`). Taken at once, the lock is requested by one statement, which every retry resets.
 */
function lockAtBegin(connection: SqliteConnection): void {
  const prepare = connection.prepare.bind(connection);
  connection.prepare = (sql) => prepare(sql === 'BEGIN TRANSACTION' ? 'BEGIN IMMEDIATE' : sql);
}

/**
 * Makes every transaction begin with the settings that it needs: those of a session would be another's behind a pooler,
 * which gives each transaction any free connection (PgBouncer in transaction mode). And a migration begins when no other
 * transaction is open, and none begins until it ends: it locks table after table, and under load another transaction would
 * hold one table and wait for the next.
 */
function settleAtBegin(connection: PostgresConnection, begin: string): void {
  const query = connection.query.bind(connection);
  connection.query = (sql, ...others) => query(sql === 'START TRANSACTION' ? begin : sql, ...others);
}

// If the network fails in the middle of a transaction, its locks must not outlive LiveKit's last attempt.
// And whatever the database or the role have set: what is acknowledged is on the disk, and statements see what was
// committed before them.
const BEGIN = 'START TRANSACTION ISOLATION LEVEL READ COMMITTED';
const SETTINGS = `set_config('idle_in_transaction_session_timeout', '10000', true),
  CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END`;

/** How a transaction begins on PostgreSQL, unless it is a migration. */
export const BEGIN_SERVING = `${BEGIN}; SELECT ${SETTINGS}, pg_advisory_xact_lock_shared(${lockKey('serving')})`;

/** Lifts a transaction's time limits, whatever the database or the role have set; PostgreSQL has the last of them since 17. */
export const WITHOUT_TIMEOUTS = `SELECT set_config(name, '0', true) FROM pg_settings
  WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')`;

const BEGIN_PATIENT = `${BEGIN_SERVING}; ${WITHOUT_TIMEOUTS}`;
const BEGIN_MIGRATING = `${BEGIN}; ${WITHOUT_TIMEOUTS}; SET LOCAL lock_timeout = ${MIGRATION_LOCK_TIMEOUT};
  SELECT ${SETTINGS}, pg_advisory_xact_lock(${lockKey('serving')})`;

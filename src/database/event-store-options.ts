import type { DataSourceSettings } from './data-source.js';
import { type DatabaseLocation, parseDatabaseUrl } from './database-url.js';
import { DatabaseConfigurationError } from './errors.js';
import type { MigrationsMode } from './migrate.js';
import type { HandlerDataSource } from './postgres/handler-transactions.js';

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

/** Where the options lead. @throws DatabaseConfigurationError unless all of them fit that. */
export function requireLocation({ url, listenUrl = url, poolSize }: EventStoreOptions): DatabaseLocation {
  const location = parseDatabaseUrl(url);
  if (poolSize !== undefined && !(Number.isInteger(poolSize) && poolSize >= 2)) {
    throw new DatabaseConfigurationError(
      '`database.poolSize` must be a whole number of at least 2: one connection holds a lock while another migrates',
    );
  }
  if (parseDatabaseUrl(listenUrl).dialect !== location.dialect) {
    throw new DatabaseConfigurationError(
      '`database.listenUrl` must lead to the PostgreSQL database that `database.url` leads to; without PostgreSQL leave it out',
    );
  }
  return location;
}

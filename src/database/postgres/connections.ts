import { type DataSource, TypeORMError } from 'typeorm';
import { createDataSource, type DataSourceSettings, POOL_SIZE } from '../data-source.js';
import { toldUrl } from '../database-url.js';
import { DatabaseConfigurationError, DatabaseUnreachableError, HandlerDataSourceError } from '../errors.js';
import type { EventStoreOptions } from '../event-store-options.js';
import { migrate } from '../migrate.js';
import { refuseMovedStore } from '../moving/marks.js';
import { type HandlerDataSource, HandlerTransactions } from './handler-transactions.js';
import { PipelinedWriter } from './pipelined-writer.js';

/** The connections of a store to its PostgreSQL database. */
export interface PostgresConnections {
  /** For everything else. */
  pool: DataSource;
  /** What appends webhooks. */
  pipelined: PipelinedWriter;
  /** Where transactions of handlers run. */
  handlers: HandlerTransactions;
  /** Where those of the host's handlers run, over the host's DataSource, if it gave one. */
  hostHandlers: HandlerTransactions | undefined;
  /** Closes them, but for the host's. */
  close(): Promise<void>;
}

/** Connections for the transactions of our own handlers, apart from those of webhooks. */
const HANDLER_POOL = 4;

/**
 * Connects, and brings the schema up to date.
 *
 * @throws what `EventStore.open` does.
 */
export async function connect({
  url,
  migrations = 'run',
  poolSize = POOL_SIZE,
  handlers: given,
  entities = [],
  entityMigrations = [],
}: EventStoreOptions): Promise<PostgresConnections> {
  if (given !== undefined) requireConnected(given);
  const opened: DataSource[] = [];
  try {
    const settings = { url, poolSize, entities, entityMigrations };
    const pool = await connected(settings);
    opened.push(pool);
    await requireUnicode(pool);
    await refuseMovedStore(pool);
    await migrate(pool, settings, migrations);
    const transactions = await createDataSource({ url, poolSize: HANDLER_POOL, entities }).initialize();
    opened.push(transactions);
    const handlers = new HandlerTransactions(transactions);
    const hostHandlers = given && new HandlerTransactions(given);
    await hostHandlers?.requireSameDatabase(pool);
    const pipelined = await PipelinedWriter.to(url);
    const close = async (): Promise<void> => {
      await pipelined.close();
      await handlers.close();
      await pool.destroy();
    };
    return { pool, pipelined, handlers, hostHandlers, close };
  } catch (error) {
    for (const dataSource of opened) await dataSource.destroy();
    throw error;
  }
}

function requireConnected({ options: { type }, isInitialized }: HandlerDataSource): void {
  if (type !== 'postgres') {
    throw new HandlerDataSourceError(
      "`database.handlers` can't be used: transactional handlers share a transaction with their acknowledgement, which is in PostgreSQL; " +
        `this DataSource is of type \`${type}\``,
    );
  }
  if (isInitialized) return;
  throw new HandlerDataSourceError(
    '`database.handlers` is not connected yet: `await dataSource.initialize()` before it is given, or inject the one of `TypeOrmModule`',
  );
}

async function connected(settings: DataSourceSettings): Promise<DataSource> {
  try {
    return await createDataSource(settings).initialize();
  } catch (error) {
    if (error instanceof TypeORMError) throw error; // of entities, say
    throw new DatabaseUnreachableError(toldUrl(settings.url), error);
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

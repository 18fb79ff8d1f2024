import { type DataSource, TypeORMError } from 'typeorm';
import { createDataSource, type DataSourceSettings } from '../data-source.js';
import type { DatabaseLocation } from '../database-url.js';
import { driverCode } from '../driver-code.js';
import { DatabaseConfigurationError, HandlerDataSourceError } from '../errors.js';
import type { EventStoreOptions } from '../event-store-options.js';
import { migrate } from '../migrate.js';
import { refuseMovedStore } from '../moving/marks.js';
import { OpenedFile } from './opened-file.js';
import { claimForThisProcess } from './single-process.js';

/** A file, or a database in memory. */
export type SqliteLocation = Extract<DatabaseLocation, { dialect: 'sqlite' }>;

/** The connections of a store to its SQLite database. */
export interface SqliteConnections {
  /** The one that writes. */
  writer: DataSource;
  /** It sees what is committed, and waits for no writer. In memory it is `writer`. */
  reader: DataSource;
  /** Unless it is in memory. */
  file: OpenedFile | undefined;
  /** Closes them, and releases the file. */
  close(): Promise<void>;
}

/** SQLite's codes for a path with no database that we may use; libsql gives none for one that can't be opened at all. */
const NO_DATABASE = /^(?:SQLITE_(?:CANTOPEN|NOTADB|READONLY|PERM).*)?$/;

/**
 * Claims the file, connects and brings the schema up to date.
 *
 * @throws what `EventStore.open` does.
 */
export async function connect(
  { path, inMemory }: SqliteLocation,
  { url, migrations = 'run', handlers, entities = [], entityMigrations = [] }: EventStoreOptions,
): Promise<SqliteConnections> {
  if (handlers !== undefined) {
    throw new HandlerDataSourceError(
      "`database.handlers` can't be used: SQLite has one writer, and a second connection to its file would write between ours: " +
        'leave `handlers` out, give the entities of the file as `database.entities`, and write to it in `EventStore.transaction(…)` only',
    );
  }
  const release = inMemory ? () => undefined : claimForThisProcess(path);
  const opened: DataSource[] = [];
  try {
    const settings = { url, entities, entityMigrations };
    const writer = await connected(settings, path);
    opened.push(writer);
    if (!inMemory) await requireDurableWrites(writer);
    await refuseMovedStore(writer);
    await migrate(writer, settings, migrations);
    const reader = inMemory ? writer : await createDataSource({ url, readOnly: true, entities }).initialize();
    if (reader !== writer) opened.push(reader);
    const file = inMemory ? undefined : new OpenedFile(path);
    const close = async (): Promise<void> => {
      if (reader !== writer) await reader.destroy();
      if (file !== undefined) await emptyLog(writer, file);
      await writer.destroy();
      release();
    };
    return { writer, reader, file, close };
  } catch (error) {
    for (const dataSource of opened) await dataSource.destroy();
    release();
    throw error;
  }
}

async function connected(settings: DataSourceSettings, path: string): Promise<DataSource> {
  try {
    return await createDataSource(settings).initialize();
  } catch (error) {
    if (error instanceof TypeORMError) throw error; // of entities, say
    if (!NO_DATABASE.test(String(driverCode(error) ?? ''))) throw error;
    throw new DatabaseConfigurationError(
      `${path} is no SQLite database that this process may write to: ` +
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

// libsql leaves that to the next opening, and a copy of the file made meanwhile would lack what is in its log.
async function emptyLog(writer: DataSource, file: OpenedFile): Promise<void> {
  try {
    file.requireInPlace();
    await writer.query('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // then the log stays, and the next opening reads it
  }
}

import { existsSync } from 'node:fs';
import { createDataSource } from '../data-source.js';
import { parseDatabaseUrl } from '../database-url.js';
import { driverCode } from '../driver-code.js';
import { migrate } from '../migrate.js';
import { Database } from '../sqlite/libsql.js';
import { claimForThisProcess } from '../sqlite/single-process.js';
import { inBatches, type SourceRow } from './batches.js';
import { MoveRefusedError } from './errors.js';
import { MOVED_OUT, type MoveMark, moveMarkOf } from './marks.js';
import type { MovedTable, SourceTable } from './tables.js';

/** The values of a row's key. */
export type RowKey = readonly (string | number)[];

/** The SQLite store that is moved, which no other process uses meanwhile. */
export class SourceStore {
  private constructor(
    private readonly url: string,
    private readonly connection: Database,
    private readonly release: () => void,
  ) {}

  /**
   * Opens a store and claims it.
   *
   * @throws MoveRefusedError when there is none, DatabaseInUseError when an application uses it.
   */
  static open(url: string): SourceStore {
    const location = parseDatabaseUrl(url);
    if (location.dialect !== 'sqlite' || location.inMemory) {
      throw new MoveRefusedError('`--from` must be an SQLite file: `file:./data/voice.sqlite`');
    }
    const { path } = location;
    if (!existsSync(path)) {
      throw new MoveRefusedError(
        `there is no file ${path}: give the store that is to be moved as \`--from\`, relative to this folder or with its full path`,
      );
    }
    const release = claimForThisProcess(path);
    const store = new SourceStore(url, connected(path, release), release);
    try {
      if (!store.tableNames().includes('livekit_events')) {
        throw new MoveRefusedError(
          `${path} holds no events: give the SQLite file of the application as \`--from\``,
        );
      }
      return store;
    } catch (error) {
      store.close();
      if (driverCode(error) !== 'SQLITE_NOTADB') throw error;
      throw new MoveRefusedError(
        `${path} is no SQLite database: give the SQLite file of the application as \`--from\``,
        { cause: error },
      );
    }
  }

  /** Brings the schema up to this version. */
  async migrate(): Promise<void> {
    const settings = { url: this.url };
    const dataSource = await createDataSource(settings).initialize();
    try {
      await migrate(dataSource, settings, 'run');
    } finally {
      await dataSource.destroy();
    }
  }

  /** Our own tables. */
  tables(): SourceTable[] {
    return this.tableNames()
      .filter((name) => name.startsWith('livekit_'))
      .map((name) => {
        const columns = this.all<{ name: string; pk: number }>(`PRAGMA table_info(${name})`);
        const key = columns.filter(({ pk }) => pk > 0).toSorted((a, b) => a.pk - b.pk);
        return { name, columns: columns.map((column) => column.name), key: key.map((column) => column.name) };
      });
  }

  /** The tables that are not ours: a host's entities. */
  foreignTables(): string[] {
    return this.tableNames().filter((name) => !/^(livekit|sqlite)_/.test(name));
  }

  /** How many rows a table has. */
  count({ name }: MovedTable): number {
    return this.all<{ count: number }>(`SELECT count(*) AS count FROM ${name}`)[0]?.count ?? 0;
  }

  /** The rows of a table after a key, in the key's order, in batches. */
  batches({ name, columns, key }: MovedTable, after: RowKey | null = null): Generator<SourceRow[]> {
    const names = columns.map((column) => column.name).join();
    const behind = after === null ? '' : `WHERE (${key.join()}) > (${key.map(() => '?').join()})`;
    const statement = this.connection
      .prepare(`SELECT ${names} FROM ${name} ${behind} ORDER BY ${key.join()}`)
      .raw();
    return inBatches(statement.iterate([...(after ?? [])]) as Iterable<SourceRow>);
  }

  /** The greatest number that a row of each table was ever given, even if that row is gone. */
  lastNumbers(): Map<string, number> {
    const rows = this.all<{ name: string; seq: number }>('SELECT name, seq FROM sqlite_sequence');
    return new Map(rows.map(({ name, seq }) => [name, seq]));
  }

  /** The mark of a move that has begun. */
  mark(): Promise<MoveMark | undefined> {
    return moveMarkOf(async (sql) => this.all(sql));
  }

  /** Puts the mark on the store: from now on no application writes into it. */
  putMark({ id, target, finished }: MoveMark): void {
    this.connection.exec(
      `CREATE TABLE IF NOT EXISTS ${MOVED_OUT} (one integer PRIMARY KEY, move_id text NOT NULL, target text NOT NULL, finished integer NOT NULL)`,
    );
    this.connection
      .prepare(`INSERT OR REPLACE INTO ${MOVED_OUT} (one, move_id, target, finished) VALUES (1, ?, ?, ?)`)
      .run([id, target, Number(finished)]);
  }

  /** Removes the mark. */
  takeMarkOff(): void {
    this.connection.exec(`DROP TABLE IF EXISTS ${MOVED_OUT}`);
  }

  /** Closes the file, and releases it. */
  close(): void {
    try {
      this.connection.pragma('wal_checkpoint(TRUNCATE)'); // so that a copy of the file has all of it
    } catch {
      // The log stays, as when rows are still being read because the move has failed: that failure is what to report.
    }
    this.connection.close();
    this.release();
  }

  private tableNames(): string[] {
    return this.all<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
    ).map(({ name }) => name);
  }

  private all<Row>(sql: string): Row[] {
    return this.connection.prepare(sql).all() as Row[];
  }
}

function connected(path: string, release: () => void): Database {
  try {
    return new Database(path, { timeout: 5_000 });
  } catch (cause) {
    release();
    throw new MoveRefusedError(
      `${path} can't be opened: give the SQLite file of the application as \`--from\`, a file that this user may read and write`,
      { cause },
    );
  }
}

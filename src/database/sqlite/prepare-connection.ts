import { MAKE_STAGE } from './staged-write.js';

/**
 * How long SQLite itself waits for another connection's lock, in milliseconds. It blocks the event loop meanwhile, so it is
 * short; callers that can wait longer try again.
 */
const SQLITE_BUSY_TIMEOUT = 50;

/** A connection of libsql. */
export interface SqliteConnection {
  exec(statements: string): unknown;
  pragma(statement: string): unknown;
  prepare(sql: string): unknown;
}

/** Gives a new connection its settings, and the one that writes its stage. */
export function prepareConnection(
  connection: SqliteConnection,
  { inMemory, readOnly }: { inMemory: boolean; readOnly: boolean },
): void {
  connection.pragma(`busy_timeout = ${SQLITE_BUSY_TIMEOUT}`);
  if (!inMemory) connection.pragma('journal_mode = WAL');
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
}

/**
 * TypeORM's transactions take the write lock at their first write. If the file is busy then, that statement stays in
 * progress, and libsql resets it only when it is run again: until then no other transaction can commit
 * (`tursodatabase/libsql-js#237`). Taken at once, the lock is requested by one statement, which every retry resets.
 */
function lockAtBegin(connection: SqliteConnection): void {
  const prepare = connection.prepare.bind(connection);
  connection.prepare = (sql) => prepare(sql === 'BEGIN TRANSACTION' ? 'BEGIN IMMEDIATE' : sql);
}

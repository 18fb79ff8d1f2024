import { toldOf } from '../logging/error-fields.js';
import { ToldError } from '../logging/told-error.js';

/** The database is configured in a way that can't work; the message names the cure. */
export class DatabaseConfigurationError extends ToldError {
  override readonly name = 'DatabaseConfigurationError';
}

/** PostgreSQL can't be reached, or refuses the connection, when the store is opened. */
export class DatabaseUnreachableError extends ToldError {
  override readonly name = 'DatabaseUnreachableError';

  /** @param server its URL as it may be shown. */
  constructor(server: string, cause: unknown) {
    super(
      `no connection to ${server} (${toldOf(cause)}): see that the server runs there, and that ` +
        '`database.url` (DATABASE_URL) has its host and port, and the user, password and database that it knows',
      { cause },
    );
  }
}

/** The SQLite file belongs to another running application, and SQLite serves only one. */
export class DatabaseInUseError extends ToldError {
  override readonly name = 'DatabaseInUseError';

  constructor(path: string) {
    super(
      `the SQLite file ${path} is in use by another process, or by an application in this one that was not closed. ` +
        'Stop that one, give this one a file of its own, ' +
        'or use PostgreSQL (`postgres://…`), which serves any number of processes',
    );
  }
}

/** The SQLite file, or its write-ahead log, is no longer where it was opened: what is written to it would vanish. */
export class DatabaseFileGoneError extends ToldError {
  override readonly name = 'DatabaseFileGoneError';

  constructor(path: string) {
    super(
      `the SQLite file ${path} or its -wal was deleted, moved or replaced while it was open. ` +
        'Put it back, or restart on what is there now',
    );
  }
}

/** The database's schema is behind this version, or there is none, and migrations are not run. */
export class PendingMigrationsError extends ToldError {
  override readonly name = 'PendingMigrationsError';

  constructor() {
    super(
      'the database lacks migrations of this version. Run them (`migrations: "run"`, DATABASE_MIGRATIONS, or `npx livekit-webhooks migrate`) ' +
        'before starting with `check` or `none`',
    );
  }
}

/** A transaction on SQLite took longer than appends may wait behind it, and was rolled back. */
export class TransactionDeadlineError extends ToldError {
  override readonly name = 'TransactionDeadlineError';

  constructor(milliseconds: number) {
    super(
      `a transaction on SQLite was rolled back after ${milliseconds} ms, because webhooks wait behind it: await nothing in it ` +
        'but its own `manager` (no HTTP call, no `EventLog.append`: `appendIn(manager, …)` is for that), write less at once, ' +
        'or move to PostgreSQL, where nobody waits',
    );
  }
}

/** When a database rolls back a whole transaction because of a statement, and how it can be had to undo the statement alone. */
const LOST = {
  SQLite:
    'SQLite does so where the disk is full or fails, and for `OR ROLLBACK` and `RAISE(ROLLBACK)`: `OR ABORT` and `RAISE(ABORT)` ' +
    'undo the statement alone',
  PostgreSQL:
    'PostgreSQL does so whatever the reason: a statement that may fail is undone alone within a `manager.transaction(…)` of its own, which nests',
};

/** The database has rolled a whole transaction back because a statement failed, and the work went on in it. */
export class TransactionLostError extends ToldError {
  override readonly name = 'TransactionLostError';

  /** @param cause why the statement failed. */
  constructor(database: keyof typeof LOST, cause: unknown) {
    super(
      `${database} has rolled this transaction back, all of it, because a statement failed (${toldOf(cause)}), and what came then was refused: ` +
        `let what a statement throws through, and it is tried again. ${LOST[database]}`,
      { cause },
    );
  }
}

/** A transaction's manager was used after the transaction had ended. */
export class TransactionOverError extends ToldError {
  override readonly name = 'TransactionOverError';

  constructor() {
    super(
      'this transaction has ended (committed, rolled back, or past its deadline): `await` everything inside of it, and do not keep its manager',
    );
  }
}

/** Code that was given a transaction's manager tried to end the transaction. */
export class TransactionEndError extends ToldError {
  override readonly name = 'TransactionEndError';

  constructor() {
    super(
      'this transaction is committed when your function returns (of a handler: with its acknowledgement), and rolled back when it ' +
        'throws: leave `commitTransaction`, `rollbackTransaction` and `release` of its query runner alone; `manager.transaction(…)` nests',
    );
  }
}

/** The DataSource given for transactional handlers can't be used for them; the message names the cure. */
export class HandlerDataSourceError extends Error {
  override readonly name = 'HandlerDataSourceError';
}

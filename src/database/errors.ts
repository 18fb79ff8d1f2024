/** The database is configured in a way that can't work; the message names the cure. */
export class DatabaseConfigurationError extends Error {
  override readonly name = 'DatabaseConfigurationError';
}

/** The SQLite file belongs to another running process, and SQLite serves only one. */
export class DatabaseInUseError extends Error {
  override readonly name = 'DatabaseInUseError';

  constructor(path: string) {
    super(
      `the SQLite file ${path} is in use by another process. Stop that one, give this one a file of its own, ` +
        'or use PostgreSQL (`postgres://…`), which serves any number of processes',
    );
  }
}

/** The SQLite file, or its write-ahead log, is no longer where it was opened: what is written to it would vanish. */
export class DatabaseFileGoneError extends Error {
  override readonly name = 'DatabaseFileGoneError';

  constructor(path: string) {
    super(
      `the SQLite file ${path} or its -wal was deleted, moved or replaced while it was open. ` +
        'Put it back, or restart on what is there now',
    );
  }
}

/** The database's schema is behind this version, and migrations are only checked, not run. */
export class PendingMigrationsError extends Error {
  override readonly name = 'PendingMigrationsError';

  constructor() {
    super(
      'the database lacks migrations of this version. Run them (`migrations: "run"`, or `npm run typeorm migration:run`) ' +
        'before starting with `migrations: "check"`',
    );
  }
}

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

import { statSync } from 'node:fs';
import { DatabaseFileGoneError } from './errors.js';

/**
 * An open SQLite file and its write-ahead log. If they are deleted or replaced, SQLite notices nothing and goes on writing
 * to files that nobody can find any more.
 */
export class OpenedFile {
  private readonly identity: string;

  constructor(private readonly path: string) {
    this.identity = identityOf(path);
  }

  /** @throws DatabaseFileGoneError while its path leads to another file, or to none. */
  requireInPlace(): void {
    if (identityOf(this.path) !== this.identity) throw new DatabaseFileGoneError(this.path);
  }
}

const identityOf = (path: string): string =>
  [path, `${path}-wal`]
    .map((file) => statSync(file, { bigint: true, throwIfNoEntry: false }))
    .map((stats) => stats && `${stats.dev}:${stats.ino}`)
    .join();

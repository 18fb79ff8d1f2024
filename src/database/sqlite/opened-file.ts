import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseFileGoneError } from '../errors.js';

/** Where a path leads: what SQLite keeps beside a file is there, whichever link the file was opened by. */
export function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink ? realPath(resolve(realpathSync(dirname(path)), readlinkSync(path))) : path; // to a file that is yet to be made
}

/**
 * An open SQLite file and its write-ahead log. If they are deleted or replaced, SQLite notices nothing and goes on writing
 * to files that nobody can find any more.
 */
export class OpenedFile {
  private readonly files: readonly string[];
  private readonly identity: string;

  constructor(private readonly path: string) {
    this.files = [path, `${realPath(path)}-wal`];
    this.identity = identityOf(this.files);
  }

  /** @throws DatabaseFileGoneError while its path leads to another file, or to none. */
  requireInPlace(): void {
    if (identityOf(this.files) !== this.identity) throw new DatabaseFileGoneError(this.path);
  }
}

const identityOf = (files: readonly string[]): string =>
  files
    .map((file) => statSync(file, { bigint: true, throwIfNoEntry: false }))
    .map((stats) => stats && `${stats.dev}:${stats.ino}`)
    .join();

import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** What every SQLite file begins with. */
const HEADER = 'SQLite format 3\0';

/** Whether SQLite can have its database at a path, as far as can be seen: either nothing is there yet, or a database is. */
export function isSqliteFile(path: string): boolean {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return true;
    return stats.isFile() && (stats.size === 0 || headOf(path) === HEADER);
  } catch {
    return false; // we may not look at it
  }
}

function headOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(HEADER.length);
    readSync(file, head);
    return head.toString('latin1');
  } finally {
    closeSync(file);
  }
}

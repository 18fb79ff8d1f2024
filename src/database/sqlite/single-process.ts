import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isBusy } from '../driver-code.js';
import { DatabaseConfigurationError, DatabaseInUseError } from '../errors.js';
import { Database } from './libsql.js';
import { realPath } from './opened-file.js';

/**
 * Claims an SQLite file for this process, until released or until the process dies, however that happens: the claim is an
 * exclusive transaction on a side file, which the operating system releases with its holder.
 *
 * @returns a function that releases the claim.
 * @throws DatabaseInUseError when another process holds it, DatabaseConfigurationError when its folder can't be written to.
 */
export function claimForThisProcess(path: string): () => void {
  const claim = opened(path);
  try {
    claim.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    claim.close();
    if (isBusy(error)) throw new DatabaseInUseError(path);
    throw error;
  }
  return () => claim.close();
}

function opened(path: string): Database {
  const folder = dirname(path);
  try {
    makeFolder(resolve(folder));
    return new Database(`${realPath(path)}.lock`, { timeout: 0 });
  } catch (cause) {
    throw new DatabaseConfigurationError(
      `the SQLite file ${path} can't be opened: ${folder} must be a folder that this process may write to ` +
        '(in a container, a volume that belongs to its user)',
      { cause },
    );
  }
}

// Level by level: Node's own `recursive` tries for ever where an existing folder can't hold another, such as /proc.
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error; // another process was quicker
  }
}

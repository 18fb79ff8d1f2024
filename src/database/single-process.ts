import Database from 'libsql';
import { DatabaseInUseError } from './errors.js';

/**
 * Claims an SQLite file for this process, until released or until the process dies, whichever way it does: the
 * claim is an exclusive transaction on a side file, and the operating system lets go of it with its holder.
 *
 * @returns what releases the claim.
 * @throws DatabaseInUseError when another process holds it.
 */
export function claimForThisProcess(path: string): () => void {
  const claim = new Database(`${path}.lock`, { timeout: 0 });
  try {
    claim.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    claim.close();
    if ((error as { code?: string }).code === 'SQLITE_BUSY') throw new DatabaseInUseError(path);
    throw error;
  }
  return () => claim.close();
}

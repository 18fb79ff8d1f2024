import Database from 'libsql/promise';
import type { QueryRunner } from 'typeorm';

/**
 * Commits a transaction on SQLite on one of libsql's threads: the process goes on while the disk is waited for. What TypeORM
 * does by itself, and what the rest of a transaction takes no time with, runs on the event loop.
 */
export async function commitOffThread(runner: QueryRunner): Promise<void> {
  await Database.prototype.exec.call(await runner.connect(), 'COMMIT');
  Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 }); // as TypeORM's own commit leaves it
}

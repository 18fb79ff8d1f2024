import Database from 'libsql/promise';
import type { QueryRunner } from 'typeorm';

/**
 * Commits a transaction on SQLite on one of libsql's threads: TypeORM's own commit would hold up the event loop until the
 * disk has answered.
 */
export async function commitOffThread(runner: QueryRunner): Promise<void> {
  await Database.prototype.exec.call(await runner.connect(), 'COMMIT');
  Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 }); // as TypeORM's own commit leaves it
}

import type { EntityManager, QueryRunner } from 'typeorm';
import { OffThreadDatabase } from './libsql.js';

/**
 * Runs statements, and commits their transaction, on one of libsql's threads: TypeORM's own commit would hold up the event
 * loop until the disk has answered.
 */
export async function commitOffThread(runner: QueryRunner, ...statements: readonly string[]): Promise<void> {
  await runOffThread(runner.manager, ...statements, 'COMMIT');
  Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 }); // as TypeORM's own commit leaves it
}

/** Runs statements of a transaction, which need nothing of this process between them, on one of libsql's threads. */
export async function runOffThread(
  { queryRunner }: EntityManager,
  ...statements: readonly string[]
): Promise<void> {
  await OffThreadDatabase.prototype.exec.call(await queryRunner?.connect(), statements.join(';\n'));
}

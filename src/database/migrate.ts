import { setTimeout } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import { PendingMigrationsError } from './errors.js';

/** `run` them (under a lock), `check` that there are none left to run, or `none`: leave the schema alone. */
export type MigrationsMode = 'run' | 'check' | 'none';

/** PostgreSQL's advisory lock of ours for migrations ("lkwh" in ASCII, and 1). */
const MIGRATION_LOCK = [0x6c6b7768, 1];

/**
 * Brings the schema up to this version, or checks that it is.
 *
 * @throws PendingMigrationsError when it is only checked, and is behind.
 */
export async function migrate(dataSource: DataSource, mode: MigrationsMode): Promise<void> {
  if (mode === 'none') return;
  if (mode === 'check') {
    if (await dataSource.showMigrations()) throw new PendingMigrationsError();
    return;
  }
  // SQLite has one process, held to that by a lock of its own; on PostgreSQL many may start at once.
  if (dataSource.options.type !== 'postgres') return void (await dataSource.runMigrations());
  const holder = dataSource.createQueryRunner();
  try {
    while (!(await tryLock(holder))) await setTimeout(100);
    await dataSource.runMigrations();
  } finally {
    await holder.query('SELECT pg_advisory_unlock($1, $2)', MIGRATION_LOCK).catch(() => undefined);
    await holder.release();
  }
}

// Asked again and again rather than waited for in one statement: the pool gives up on statements that take long.
async function tryLock(holder: QueryRunner): Promise<boolean> {
  const [row] = await holder.query('SELECT pg_try_advisory_lock($1, $2) AS locked', MIGRATION_LOCK);
  return (row as { locked: boolean }).locked;
}

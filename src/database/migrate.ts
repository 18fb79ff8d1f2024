import { setTimeout } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { toldOf } from '../logging/error-fields.js';
import { tryLock } from './advisory-locks.js';
import { createDataSource, type DataSourceSettings } from './data-source.js';
import { driverCode } from './driver-code.js';
import { DatabaseConfigurationError, PendingMigrationsError } from './errors.js';
import { hasTable } from './has-table.js';
import { WITHOUT_TIMEOUTS } from './postgres/settings.js';

/** `run` them (under a lock), `check` that there are none left to run, or `none`: leave the schema alone. */
export type MigrationsMode = 'run' | 'check' | 'none';

/** The pause between two attempts to take the lock, milliseconds. */
const PAUSE = 100;

/** How often the holder of the lock shows the server that it is alive, milliseconds: after 10 s it is taken for dead. */
const HEARTBEAT = 2_000;

/** How long a migration that could not get a table lets its users go on before it is tried again, milliseconds. */
const GIVE_WAY = 500;

/** How long it keeps being tried, milliseconds. */
const PATIENCE = 60_000;

/** PostgreSQL's codes for a role without the privilege, or without a schema to create in. */
const NOT_ALLOWED = new Set<unknown>(['42501', '3F000']);

/**
 * Brings the schema up to this version, or checks that it is.
 *
 * @param dataSource of the store that is opened.
 * @param settings those that it was made with.
 * @throws PendingMigrationsError when it is only checked and is behind, or is left alone and has no tables;
 *   DatabaseConfigurationError when its role may not change it.
 */
export async function migrate(
  dataSource: DataSource,
  settings: DataSourceSettings,
  mode: MigrationsMode,
): Promise<void> {
  try {
    await bringUpToDate(dataSource, settings, mode);
  } catch (error) {
    if (!NOT_ALLOWED.has(driverCode(error))) throw error;
    throw new DatabaseConfigurationError(
      `the role of \`database.url\` (DATABASE_URL) may not make or change our tables (${toldOf(error)}): GRANT it CREATE on the schema that its ` +
        '`search_path` leads to, or run `npx livekit-webhooks migrate` as one who may, and GRANT this one SELECT, INSERT, UPDATE, ' +
        'DELETE on the tables',
      { cause: error },
    );
  }
}

async function bringUpToDate(
  dataSource: DataSource,
  settings: DataSourceSettings,
  mode: MigrationsMode,
): Promise<void> {
  if (mode !== 'run') {
    const isBehind =
      mode === 'check'
        ? await dataSource.showMigrations()
        : !(await hasTable(dataSource.manager, 'livekit_events'));
    if (isBehind) throw new PendingMigrationsError();
    return;
  }
  // SQLite has one process, which a lock of its own ensures; on PostgreSQL many may start at once.
  if (dataSource.options.type !== 'postgres') return void (await dataSource.runMigrations());
  await underLock(dataSource, async () => {
    if (await dataSource.showMigrations()) await runDespiteUsers(settings);
  });
}

/** Holds the lock in a transaction of its own: it is freed however its holder ends, and no pooler gives it to another. */
async function underLock(dataSource: DataSource, work: () => Promise<void>): Promise<void> {
  const holder = dataSource.createQueryRunner();
  try {
    // Not begun like other transactions, for which migrations wait.
    await holder.query(`BEGIN; SET LOCAL idle_in_transaction_session_timeout = 10000; ${WITHOUT_TIMEOUTS}`);
    // Polled rather than waited for: a transaction that does nothing is taken for one whose process is gone.
    while (!(await tryLock(holder, 'migrating'))) await setTimeout(PAUSE);
    const heartbeat = setInterval(() => void holder.query('SELECT 1').catch(() => undefined), HEARTBEAT);
    try {
      await work();
    } finally {
      clearInterval(heartbeat);
    }
  } finally {
    await holder.query('ROLLBACK').catch(() => undefined); // it has written nothing
    await holder.release();
  }
}

/** Migrates while other processes serve: a migration that does not get a table soon is rolled back, and tried again later. */
async function runDespiteUsers(settings: DataSourceSettings): Promise<void> {
  const migrator = await createDataSource({ ...settings, poolSize: 1, migrates: true }).initialize();
  const deadline = performance.now() + PATIENCE;
  try {
    for (;;) {
      try {
        return void (await migrator.runMigrations());
      } catch (error) {
        const isLocked = driverCode(error) === '55P03';
        if (!isLocked || performance.now() > deadline) throw error;
        await setTimeout(GIVE_WAY);
      }
    }
  } finally {
    await migrator.destroy();
  }
}

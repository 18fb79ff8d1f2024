import { lockKey } from '../advisory-locks.js';

/** The settings of every connection of ours to PostgreSQL, as `pg` names them; times in milliseconds. */
export const POSTGRES_CONNECTION = {
  connectionTimeoutMillis: 2_000,
  // A server that hangs must not hang us with it: LiveKit is told to retry its webhook.
  query_timeout: 5_000,
  keepAlive: true,
  application_name: 'nestjs-livekit-webhooks',
};

/** How long a migration waits for a table in use, milliseconds: transactions that come meanwhile wait behind it. */
const MIGRATION_LOCK_TIMEOUT = 500;

interface PostgresConnection {
  query(...statement: unknown[]): unknown;
}

/**
 * Makes every transaction begin with the settings that it needs: those of a session would be another's behind a pooler,
 * which gives each transaction any free connection (PgBouncer in transaction mode). And a migration begins when no other
 * transaction is open, and none begins until it ends: it locks table after table, and under load another transaction would
 * hold one table and wait for the next.
 */
export function settleAtBegin(connection: PostgresConnection, begin: string): void {
  const query = connection.query.bind(connection);
  connection.query = (sql, ...others) => query(sql === 'START TRANSACTION' ? begin : sql, ...others);
}

// If the network fails in the middle of a transaction, its locks must not outlive LiveKit's last attempt.
// And whatever the database or the role have set: what is acknowledged is on the disk, and statements see what was
// committed before them.
const BEGIN = 'START TRANSACTION ISOLATION LEVEL READ COMMITTED';
const SETTINGS = `set_config('idle_in_transaction_session_timeout', '10000', true),
  CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END`;

/** How a transaction begins on PostgreSQL, unless it is a migration. */
export const BEGIN_SERVING = `${BEGIN}; SELECT ${SETTINGS}, pg_advisory_xact_lock_shared(${lockKey('serving')})`;

/** Lifts a transaction's time limits, whatever the database or the role have set; PostgreSQL has the last of them since 17. */
export const WITHOUT_TIMEOUTS = `SELECT set_config(name, '0', true) FROM pg_settings
  WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')`;

/** How one begins whose statements may take as long as they like. */
export const BEGIN_PATIENT = `${BEGIN_SERVING}; ${WITHOUT_TIMEOUTS}`;

/** How a migration begins. */
export const BEGIN_MIGRATING = `${BEGIN}; ${WITHOUT_TIMEOUTS}; SET LOCAL lock_timeout = ${MIGRATION_LOCK_TIMEOUT};
  SELECT ${SETTINGS}, pg_advisory_xact_lock(${lockKey('serving')})`;

import type { EntityManager } from 'typeorm';
import { onPostgres } from './database.js';

/** The plan of a statement, in the database's own words; PostgreSQL is kept from scanning the few rows of a test. */
export async function planOf(
  manager: EntityManager,
  sql: string,
  parameters: readonly unknown[],
): Promise<string> {
  if (!onPostgres) {
    const steps = await manager.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, [...parameters]);
    return steps.map(({ detail }) => detail).join('\n');
  }
  await manager.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off');
  const steps = await manager.query<{ 'QUERY PLAN': string }[]>(`EXPLAIN ${sql}`, [...parameters]);
  return steps.map((step) => step['QUERY PLAN']).join('\n');
}

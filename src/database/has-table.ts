import type { EntityManager } from 'typeorm';
import { dialectOf } from './sql.js';

/** Whether a table exists: it makes no difference if the role may not read it. */
export async function hasTable(manager: EntityManager, table: string): Promise<boolean> {
  const [found] = await manager.query<{ name: string | null }[]>(
    dialectOf(manager) === 'postgres'
      ? 'SELECT to_regclass($1)::text AS name'
      : 'SELECT name FROM sqlite_master WHERE name = ?',
    [table],
  );
  return found?.name != null;
}

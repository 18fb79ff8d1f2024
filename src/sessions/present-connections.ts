import type { Dialect } from '../database/sql.js';
import { MIGRATION } from './facts/protojson.js';

/** SQL: whether the connection `c` goes on, as far as is known; it is `leaveOf` for more rows than can be checked one by one. */
export function isPresent(dialect: Dialect): string {
  const told = (departure: string, field: string) =>
    dialect === 'postgres' ? `c.${departure}::jsonb ->> '${field}'` : `c.${departure} ->> '${field}'`;
  const isRefuted = (departure: string) =>
    `(c.last_seen_at > CAST(${told(departure, 'at')} AS bigint)
      OR c.last_seen_at = CAST(${told(departure, 'at')} AS bigint) AND ${told(departure, 'reason')} = '${MIGRATION}')`;
  return `(c.connected
    AND (c.leave IS NULL OR ${told('leave', 'inferred')} IS NOT NULL AND ${isRefuted('leave')})
    AND (c.abort IS NULL OR c.joined_at IS NOT NULL AND ${isRefuted('abort')}))`;
}

import type { Dialect } from '../database/sql.js';
import { MIGRATION } from './facts/protojson.js';

/** SQL: whether the connection `c` goes on for all we know. It is what `leaveOf` says, where rows are too many to be asked one by one. */
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

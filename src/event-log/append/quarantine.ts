import type { EntityManager } from 'typeorm';
import { type Dialect, SqlParameters } from '../../database/sql.js';
import type { NewEvent, QuarantinedBody } from '../events.js';

/** How much the quarantine holds before its oldest bodies are deleted: rows, and bytes of their bodies. */
const QUARANTINE_CAP = { rows: 10_000, bytes: 256 * 1024 * 1024 };

/** The body of an event whose key is stored with other bytes. */
export const conflictOf = ({ source, bodySha256, body, receivedAt }: NewEvent): QuarantinedBody => ({
  source,
  sha256: bodySha256,
  reason: 'conflict',
  raw: body,
  at: receivedAt,
});

/** Stores a body that can't be an event, once however often it comes, in the caller's transaction. */
export async function quarantine(
  dialect: Dialect,
  manager: EntityManager,
  body: QuarantinedBody,
  cap: typeof QUARANTINE_CAP = QUARANTINE_CAP,
): Promise<void> {
  const p = new SqlParameters(dialect);
  const at = p.add(body.at);
  await manager.query(
    `INSERT INTO livekit_quarantine (source, sha256, reason, raw, first_at, last_at, times)
     VALUES (${p.add(body.source)}, ${p.add(body.sha256)}, ${p.add(body.reason)}, ${p.add(body.raw)}, ${at}, ${at}, 1)
     ON CONFLICT (source, sha256) DO UPDATE SET last_at = excluded.last_at, times = livekit_quarantine.times + 1`,
    p.values,
  );
  await makeRoom(manager, cap);
}

// A window sum over all rows is expensive, but only signed senders get here, and the cap keeps the table small.
async function makeRoom(manager: EntityManager, cap: typeof QUARANTINE_CAP): Promise<void> {
  await manager.query(`
    DELETE FROM livekit_quarantine WHERE (source, sha256) IN (
      SELECT source, sha256 FROM (
        SELECT source, sha256,
          row_number() OVER (ORDER BY last_at DESC, sha256) AS place,
          sum(length(raw)) OVER (ORDER BY last_at DESC, sha256) AS size
        FROM livekit_quarantine
      ) AS aged WHERE place > ${cap.rows} OR size > ${cap.bytes}
    )`);
}

import type { EntityManager } from 'typeorm';
import { type Dialect, Parameters, valuesList } from '../../database/sql.js';
import type { AppendOutcome, LoggedEvent, NewEvent } from '../events.js';
import { quarantine } from './quarantine.js';

/** What became of each event of a batch, in its order, and those that are new in the log. */
export interface AppendedBatch {
  outcomes: AppendOutcome[];
  accepted: LoggedEvent[];
}

interface StoredKey {
  source: string;
  event_id: string;
}

/**
 * Appends a batch of events in the caller's transaction: two statements when all are new. `RETURNING` tells new
 * ones from known ones, so that nothing is asked of the database before it is needed.
 */
export async function appendBatch(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
): Promise<AppendedBatch> {
  const inserted = await insertEvents(dialect, manager, events);
  const fresh = new Map(inserted.map((row) => [keyOf(row.source, row.event_id), Number(row.seq)]));
  const known = await storedHashes(
    dialect,
    manager,
    events.filter((event) => !fresh.has(keyOf(event.source, event.eventId))),
  );
  const accepted: LoggedEvent[] = [];
  const outcomes: AppendOutcome[] = [];
  for (const event of events) {
    const key = keyOf(event.source, event.eventId);
    const seq = fresh.get(key);
    const stored = known.get(key);
    if (seq !== undefined && stored === undefined) {
      accepted.push({ ...event, seq });
      known.set(key, event.bodySha256); // the same event again in this batch is a repeat of this one
      outcomes.push('accepted');
    } else if (stored === undefined) {
      outcomes.push('too_old');
    } else {
      outcomes.push(stored === event.bodySha256 ? 'duplicate' : 'conflict');
    }
  }
  await insertBodies(dialect, manager, accepted);
  for (const [index, event] of events.entries()) {
    if (outcomes[index] !== 'conflict') continue;
    const { source, bodySha256, body, receivedAt } = event;
    await quarantine(dialect, manager, {
      source,
      sha256: bodySha256,
      reason: 'conflict',
      raw: body,
      at: receivedAt,
    });
  }
  return { outcomes, accepted };
}

const keyOf = (source: string, eventId: string): string => `${source}/${eventId}`;

async function insertEvents(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
): Promise<(StoredKey & { seq: number | string })[]> {
  const p = new Parameters(dialect);
  const told = p.rows(
    COLUMNS.map((column) => (column.endsWith('_at') ? 'bigint' : 'text')),
    events.map((event) => [
      event.source,
      event.eventId,
      event.kind,
      event.name,
      event.roomSid,
      event.roomName,
      event.occurredAt,
      event.receivedAt,
      event.bodySha256,
      event.traceparent,
    ]),
  );
  // At or below the dedup floor a repeat can't be told from a new event. (Materialized, or SQLite would take each value out of
  // the JSON as often as it is named.)
  return manager.query(
    `WITH told (${COLUMNS.join()}) AS MATERIALIZED (${told})
     INSERT INTO livekit_events (${COLUMNS.join()}) SELECT ${COLUMNS.join()} FROM told
     WHERE kind <> 'livekit' OR NOT EXISTS
       (SELECT 1 FROM livekit_floors f WHERE f.source = told.source AND f.occurred_at >= told.occurred_at)
     ON CONFLICT (source, event_id) DO NOTHING RETURNING seq, source, event_id`,
    p.values,
  );
}

const COLUMNS = [
  'source',
  'event_id',
  'kind',
  'name',
  'room_sid',
  'room_name',
  'occurred_at',
  'received_at',
  'body_sha256',
  'traceparent',
];

async function insertBodies(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly LoggedEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const { text, parameters } = valuesList(
    dialect,
    events.map((event) => [event.seq, event.body]),
  );
  await manager.query(`INSERT INTO livekit_bodies (event_seq, raw) VALUES ${text}`, parameters);
}

async function storedHashes(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
): Promise<Map<string, string>> {
  if (events.length === 0) return new Map();
  const p = new Parameters(dialect);
  const keys = events.map(({ source, eventId }) => [source, eventId] as const);
  const rows = await manager.query<(StoredKey & { body_sha256: string })[]>(
    `SELECT source, event_id, body_sha256 FROM livekit_events WHERE ${p.isOneOfPairs('source, event_id', keys)}`,
    p.values,
  );
  return new Map(rows.map((row) => [keyOf(row.source, row.event_id), row.body_sha256]));
}

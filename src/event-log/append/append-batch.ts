import type { EntityManager } from 'typeorm';
import type { EventStore } from '../../database/event-store.js';
import { type Dialect, Parameters } from '../../database/sql.js';
import {
  NEWEST_BEFORE,
  rowsOnStage,
  setStage,
  STAGED_BYTES,
  STAGED_ROWS,
  type StagedWrite,
} from '../../database/staged-write.js';
import type { AppendOutcome, LoggedEvent, NewEvent } from '../events.js';

/** What became of each event of a batch, in its order, and those that are new in the log. */
export interface AppendedBatch {
  outcomes: AppendOutcome[];
  accepted: LoggedEvent[];
}

/** Appends a batch of events in a transaction of its own. On SQLite only the stage and the result take the event loop. */
export const commitBatch = (store: EventStore, events: readonly NewEvent[]): Promise<AppendedBatch> =>
  store.dialect === 'sqlite'
    ? store.writeStaged(stagedAppend(events))
    : store.write((manager) => appendOnPostgres(manager, events), 'append');

/** Appends a batch of events in the caller's transaction. */
export async function appendBatch(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
): Promise<AppendedBatch> {
  if (dialect === 'postgres') return appendOnPostgres(manager, events);
  const append = stagedAppend(events);
  await setStage(manager, append);
  for (const statement of append.statements) await manager.query(statement);
  return append.read(manager);
}

interface StoredRow {
  source: string;
  event_id: string;
  body_sha256: string;
}

interface InsertedRow extends StoredRow {
  seq: number | string;
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
] as const;

/** The columns of `told`: an event's own, and where its bytes are among those of all, from 1. */
const TOLD = [...COLUMNS, 'place', 'size'] as const;

type Told = (typeof TOLD)[number];

const typeOf = (column: Told): string => {
  if (column === 'place' || column === 'size') return 'integer';
  return column.endsWith('_at') ? 'bigint' : 'text';
};

const toldRows = (events: readonly NewEvent[]): unknown[][] => {
  let place = 1;
  return events.map((event) => {
    const size = event.body.length;
    place += size;
    return [
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
      place - size,
      size,
    ];
  });
};

const bytesOf = (events: readonly NewEvent[]): Buffer => Buffer.concat(events.map(({ body }) => body));

// At or below the dedup floor a repeat can't be told from a new event.
const INSERT_EVENTS = `INSERT INTO livekit_events (${COLUMNS.join()}) SELECT ${COLUMNS.join()} FROM told
  WHERE kind <> 'livekit' OR NOT EXISTS
    (SELECT 1 FROM livekit_floors f WHERE f.source = told.source AND f.occurred_at >= told.occurred_at)
  ON CONFLICT (source, event_id) DO NOTHING`;

// Materialized, or SQLite would take each value out of the JSON as often as it is named.
const stagedTold = (columns: readonly Told[]): string =>
  `WITH told (${columns.join()}) AS MATERIALIZED
   (SELECT ${columns.map((column) => `value ->> ${TOLD.indexOf(column)}`).join()} FROM ${STAGED_ROWS})`;

// The same event may be there twice; and one id with two bodies, of which one is stored.
const STAGED_STATEMENTS = [
  `${stagedTold(COLUMNS)} ${INSERT_EVENTS}`,
  `${stagedTold(['source', 'event_id', 'body_sha256', 'place', 'size'])}
   INSERT INTO livekit_bodies (event_seq, raw) SELECT e.seq, substr(${STAGED_BYTES}, place, size)
   FROM told CROSS JOIN livekit_events e
     ON e.source = told.source AND e.event_id = told.event_id AND e.body_sha256 = told.body_sha256
   WHERE e.seq > ${NEWEST_BEFORE} ON CONFLICT DO NOTHING`,
  `UPDATE temp.livekit_stage SET bytes = NULL, rows = (
     SELECT json_group_array(json_object('seq', seq, 'source', source, 'event_id', event_id, 'body_sha256', body_sha256))
     FROM livekit_events WHERE seq > newest)`,
];

const stagedAppend = (events: readonly NewEvent[]): StagedWrite<AppendedBatch> => ({
  rows: toldRows(events),
  bytes: bytesOf(events),
  statements: STAGED_STATEMENTS,
  async read(manager) {
    return appended('sqlite', manager, events, await rowsOnStage<InsertedRow>(manager));
  },
});

async function appendOnPostgres(manager: EntityManager, events: readonly NewEvent[]): Promise<AppendedBatch> {
  const p = new Parameters('postgres');
  const inserted = await manager.query<InsertedRow[]>(
    `WITH told (${TOLD.join()}) AS MATERIALIZED (${p.rows(TOLD.map(typeOf), toldRows(events))}),
     inserted AS (${INSERT_EVENTS} RETURNING seq, source, event_id, body_sha256),
     kept AS (
       INSERT INTO livekit_bodies (event_seq, raw)
       SELECT DISTINCT ON (seq) seq, substr(${p.add(bytesOf(events))}::bytea, place, size)
       FROM inserted JOIN told USING (source, event_id, body_sha256)
     )
     SELECT seq, source, event_id, body_sha256 FROM inserted`,
    p.values,
  );
  return appended('postgres', manager, events, inserted);
}

async function appended(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
  inserted: readonly InsertedRow[],
): Promise<AppendedBatch> {
  const seqs = new Map(inserted.map((row) => [keyOf(row.source, row.event_id), Number(row.seq)]));
  const others = events.filter((event) => !seqs.has(keyOf(event.source, event.eventId)));
  const stored = [...inserted, ...(await storedBefore(dialect, manager, others))];
  const hashes = new Map(stored.map((row) => [keyOf(row.source, row.event_id), row.body_sha256]));
  const accepted: LoggedEvent[] = [];
  const outcomes = events.map((event): AppendOutcome => {
    const key = keyOf(event.source, event.eventId);
    const hash = hashes.get(key);
    if (hash === undefined) return 'too_old';
    if (hash !== event.bodySha256) return 'conflict';
    const seq = seqs.get(key);
    if (seq === undefined) return 'duplicate';
    seqs.delete(key); // the same event again in this batch is a repeat of this one
    accepted.push({ ...event, seq });
    return 'accepted';
  });
  return { outcomes, accepted };
}

const keyOf = (source: string, eventId: string): string => `${source}/${eventId}`;

async function storedBefore(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
): Promise<StoredRow[]> {
  if (events.length === 0) return [];
  const p = new Parameters(dialect);
  const keys = events.map(({ source, eventId }) => [source, eventId] as const);
  return manager.query(
    `SELECT source, event_id, body_sha256 FROM livekit_events WHERE ${p.isOneOfPairs('source, event_id', keys)}`,
    p.values,
  );
}

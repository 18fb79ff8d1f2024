import type { EntityManager } from 'typeorm';
import type { EventStore } from '../../database/event-store.js';
import { type PipelinedWrite, runPipelined } from '../../database/pipelined-write.js';
import { type Dialect, Parameters } from '../../database/sql.js';
import {
  LAST_SEQ,
  resultOnStage,
  runStaged,
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

/** Appends a batch of events in a transaction of its own: on SQLite only stage and result take the event loop. */
export const commitBatch = (store: EventStore, events: readonly NewEvent[]): Promise<AppendedBatch> =>
  store.dialect === 'sqlite'
    ? store.writeStaged(stagedAppend(events))
    : store.writePipelined(pipelinedAppend(events));

/** Appends a batch of events in the caller's transaction. */
export function appendBatch(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
): Promise<AppendedBatch> {
  return dialect === 'postgres'
    ? runPipelined(manager, pipelinedAppend(events))
    : runStaged(manager, stagedAppend(events));
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

/** A row as it is told to the database: an event's columns, and where its bytes are among those of all, from 1. */
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

// Every row has its number before it is known to be new: so body and result are found by it, and a repeat leaves a gap.
// At or below the dedup floor a repeat can't be told from a new event.
const insertEvents = (columns: readonly string[], overriding = ''): string =>
  `INSERT INTO livekit_events (${columns.join()}) ${overriding} SELECT ${columns.join()} FROM told
   WHERE kind <> 'livekit' OR NOT EXISTS
     (SELECT 1 FROM livekit_floors f WHERE f.source = told.source AND f.occurred_at >= told.occurred_at)
   ON CONFLICT (source, event_id) DO NOTHING`;

const STAGED_SEQ = `${LAST_SEQ} + 1 + key`;

const staged = (column: Told): string => `value ->> ${TOLD.indexOf(column)}`;

const STAGED_STATEMENTS = [
  // Materialized, or SQLite would take each value out of the JSON as often as it is named.
  `WITH told (seq, ${COLUMNS.join()}) AS MATERIALIZED
   (SELECT ${STAGED_SEQ}, ${COLUMNS.map(staged).join()} FROM ${STAGED_ROWS})
   ${insertEvents(['seq', ...COLUMNS])}`,
  `INSERT INTO livekit_bodies (event_seq, raw)
   SELECT seq, substr(${STAGED_BYTES}, ${staged('place')}, ${staged('size')})
   FROM ${STAGED_ROWS} CROSS JOIN livekit_events ON seq = ${STAGED_SEQ}`,
  `UPDATE temp.livekit_stage SET bytes = NULL, rows =
     (SELECT json_group_object(seq - last_seq - 1, seq) FROM livekit_events WHERE seq > last_seq)`,
];

const stagedAppend = (events: readonly NewEvent[]): StagedWrite<AppendedBatch> => ({
  rows: toldRows(events),
  bytes: bytesOf(events),
  statements: STAGED_STATEMENTS,
  async read(manager) {
    const seqs = await resultOnStage<Record<number, number>>(manager);
    return appended('sqlite', manager, events, seqs);
  },
});

interface AppendedRow {
  nth: number;
  seq: string;
}

function pipelinedAppend(events: readonly NewEvent[]): PipelinedWrite<AppendedRow, AppendedBatch> {
  const p = new Parameters('postgres');
  const rows = toldRows(events).map((row, nth) => [...row, nth]);
  const told = p.rows([...TOLD.map(typeOf), 'integer'], rows);
  const text = `WITH told AS MATERIALIZED
     (SELECT nextval('livekit_events_seq_seq') AS seq, * FROM (${told}) AS event (${TOLD.join()}, nth)),
     inserted AS (${insertEvents(['seq', ...COLUMNS], 'OVERRIDING SYSTEM VALUE')} RETURNING seq),
     kept AS (
       INSERT INTO livekit_bodies (event_seq, raw)
       SELECT seq, substr(${p.add(bytesOf(events))}::bytea, place, size) FROM inserted JOIN told USING (seq)
     )
     SELECT nth, seq FROM inserted JOIN told USING (seq)`;
  return {
    text,
    parameters: p.values,
    read(inserted, manager) {
      const seqs = Object.fromEntries(inserted.map(({ nth, seq }) => [nth, Number(seq)]));
      return appended('postgres', manager, events, seqs);
    },
  };
}

/** @param seqs the numbers of those events that are new in the log, by their place in the batch, from 0. */
async function appended(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
  seqs: Readonly<Record<number, number>>,
): Promise<AppendedBatch> {
  const others = events.filter((_, nth) => seqs[nth] === undefined);
  const hashes = await storedHashes(dialect, manager, others);
  const accepted: LoggedEvent[] = [];
  const outcomes = events.map((event, nth): AppendOutcome => {
    const seq = seqs[nth];
    if (seq !== undefined) {
      accepted.push({ ...event, seq });
      return 'accepted';
    }
    const hash = hashes.get(keyOf(event.source, event.eventId));
    if (hash === undefined) return 'too_old';
    return hash === event.bodySha256 ? 'duplicate' : 'conflict';
  });
  return { outcomes, accepted };
}

interface StoredRow {
  source: string;
  event_id: string;
  body_sha256: string;
}

/** The hashes of those events' ids that are stored, by key. */
async function storedHashes(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
): Promise<Map<string, string>> {
  if (events.length === 0) return new Map();
  const p = new Parameters(dialect);
  const keys = events.map(({ source, eventId }) => [source, eventId] as const);
  const rows = await manager.query<StoredRow[]>(
    `SELECT source, event_id, body_sha256 FROM livekit_events WHERE ${p.isOneOfPairs('source, event_id', keys)}`,
    p.values,
  );
  return new Map(rows.map((row) => [keyOf(row.source, row.event_id), row.body_sha256]));
}

const keyOf = (source: string, eventId: string): string => `${source}/${eventId}`;

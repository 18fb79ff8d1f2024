import type { EntityManager } from 'typeorm';
import type { EventStore } from '../../database/event-store.js';
import type { PipelinedWrite } from '../../database/postgres/pipelined-writer.js';
import { type Dialect, SqlParameters } from '../../database/sql.js';
import {
  LAST_SEQ,
  resultOnStage,
  runStaged,
  STAGED_BYTES,
  STAGED_ROWS,
  type StagedWrite,
} from '../../database/sqlite/staged-write.js';
import type { AppendOutcome, LoggedEvent, NewEvent } from '../events.js';

/** The `seq`s of those events of a batch that are new in the log, by their index in the batch, from 0. */
export type NewSeqs = Readonly<Record<number, number>>;

/** Appends a batch of events in a transaction of its own: on SQLite only stage and result occupy the event loop. */
export const commitBatch = async (store: EventStore, events: readonly NewEvent[]): Promise<NewSeqs> =>
  store.dialect === 'sqlite'
    ? store.writeStaged(stagedAppend(events))
    : seqsIn(await store.writePipelined<AppendedRow>(pipelinedAppend(events)));

/** Appends a batch of events in the caller's transaction. */
export async function appendBatch(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
): Promise<NewSeqs> {
  if (dialect === 'sqlite') return runStaged(manager, stagedAppend(events));
  const { text, parameters } = pipelinedAppend(events);
  return seqsIn(await manager.query<AppendedRow[]>(text, parameters));
}

/** Those events of a batch that are new in the log. */
export const acceptedOf = (events: readonly NewEvent[], seqs: NewSeqs): LoggedEvent[] =>
  events.flatMap((event, nth) => {
    const seq = seqs[nth];
    return seq === undefined ? [] : [{ ...event, seq }];
  });

/**
 * The outcome of each event of a batch that was appended.
 *
 * @param read provides a manager to look up the events that are not new, if there are any.
 */
export async function outcomesOf(
  dialect: Dialect,
  events: readonly NewEvent[],
  seqs: NewSeqs,
  read: (look: (manager: EntityManager) => Promise<Hashes>) => Promise<Hashes>,
): Promise<AppendOutcome[]> {
  const others = events.filter((_, nth) => seqs[nth] === undefined);
  const hashes: Hashes =
    others.length === 0 ? new Map() : await read((manager) => storedHashes(dialect, manager, others));
  return events.map((event, nth) => {
    if (seqs[nth] !== undefined) return 'accepted';
    const hash = hashes.get(keyOf(event));
    if (hash === undefined) return 'too_old';
    return hash === event.bodySha256 ? 'duplicate' : 'conflict';
  });
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

/** A row as it is sent to the database: an event's columns, and where its bytes are among those of all, from 1. */
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

// At or below the dedup floor, a repeat can't be distinguished from a new event.
const insertEvents = (columns: readonly string[]): string =>
  `INSERT INTO livekit_events (${columns.join()}) SELECT ${columns.join()} FROM told
   WHERE kind <> 'livekit' OR NOT EXISTS
     (SELECT 1 FROM livekit_floors f WHERE f.source = told.source AND f.occurred_at >= told.occurred_at)
   ON CONFLICT (source, event_id) DO NOTHING`;

// Every row gets its `seq` before it is known to be new: body and result are found by it, and a repeat leaves a gap.
const STAGED_SEQ = `${LAST_SEQ} + 1 + key`;

const staged = (column: Told): string => `value ->> ${TOLD.indexOf(column)}`;

const STAGED_STATEMENTS = [
  // Materialized, or SQLite would extract each value from the JSON as often as it is named.
  `WITH told (seq, ${COLUMNS.join()}) AS MATERIALIZED
   (SELECT ${STAGED_SEQ}, ${COLUMNS.map(staged).join()} FROM ${STAGED_ROWS})
   ${insertEvents(['seq', ...COLUMNS])}`,
  `INSERT INTO livekit_bodies (event_seq, raw)
   SELECT seq, substr(${STAGED_BYTES}, ${staged('place')}, ${staged('size')})
   FROM ${STAGED_ROWS} CROSS JOIN livekit_events ON seq = ${STAGED_SEQ}`,
  `UPDATE temp.livekit_stage SET bytes = NULL, rows =
     (SELECT json_group_object(seq - last_seq - 1, seq) FROM livekit_events WHERE seq > last_seq)`,
];

const stagedAppend = (events: readonly NewEvent[]): StagedWrite<NewSeqs> => ({
  rows: toldRows(events),
  bytes: bytesOf(events),
  statements: STAGED_STATEMENTS,
  read: resultOnStage,
});

interface AppendedRow {
  nth: number;
  seq: string;
}

function pipelinedAppend(events: readonly NewEvent[]): PipelinedWrite {
  const p = new SqlParameters('postgres');
  // Of an event that comes twice only the first is sent: rows inserted are found by id and hash. An id may have two bodies.
  const seen = new Set<string>();
  const isFirst = events.map((event) => seen.size < seen.add(keyOf(event) + event.bodySha256).size);
  const rows = toldRows(events).map((row, nth) => [...row, nth]);
  const told = p.rows(
    [...TOLD.map(typeOf), 'integer'],
    rows.filter((_, nth) => isFirst[nth]),
  );
  const text = `WITH told (${TOLD.join()}, nth) AS MATERIALIZED (${told}),
     inserted AS (${insertEvents(COLUMNS)} RETURNING seq, source, event_id, body_sha256),
     appended AS MATERIALIZED (
       SELECT nth, seq, place, size FROM inserted JOIN told USING (source, event_id, body_sha256)
     ),
     kept AS (
       INSERT INTO livekit_bodies (event_seq, raw)
       SELECT seq, substr(${p.add(bytesOf(events))}::bytea, place, size) FROM appended
     )
     SELECT nth, seq FROM appended`;
  return { text, parameters: p.values };
}

const seqsIn = (rows: readonly AppendedRow[]): NewSeqs =>
  Object.fromEntries(rows.map(({ nth, seq }) => [nth, Number(seq)]));

/** The hashes of bodies, by the keys of their events. */
type Hashes = Map<string, string>;

interface StoredRow {
  source: string;
  event_id: string;
  body_sha256: string;
}

/** The hashes of the stored bodies under these events' keys. */
async function storedHashes(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly NewEvent[],
): Promise<Hashes> {
  const p = new SqlParameters(dialect);
  const keys = events.map(({ source, eventId }) => [source, eventId] as const);
  const rows = await manager.query<StoredRow[]>(
    `SELECT source, event_id, body_sha256 FROM livekit_events WHERE ${p.isOneOfPairs('source, event_id', keys)}`,
    p.values,
  );
  return new Map(
    rows.map(({ source, event_id, body_sha256 }) => [keyOf({ source, eventId: event_id }), body_sha256]),
  );
}

const keyOf = ({ source, eventId }: Pick<NewEvent, 'source' | 'eventId'>): string =>
  JSON.stringify([source, eventId]);

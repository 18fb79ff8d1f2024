import type { EntityManager } from 'typeorm';
import { bytes, type Dialect, rowsOf, SqlParameters } from '../../database/sql.js';
import type { EventKind } from '../events.js';

/** Rows searched in one query; what is found among them is erased in one transaction. */
const WINDOW = 200;

/** Rows searched in one query where they are small. */
const WIDE_WINDOW = 2_000;

/** An event with its bytes, to be searched. */
export interface SearchedBody {
  seq: number;
  kind: EventKind;
  raw: Buffer;
}

/** A body in quarantine, to be searched. */
export interface SearchedQuarantine {
  source: string;
  sha256: string;
  raw: Buffer;
}

/** A room of one project. */
export interface SidOfProject {
  source: string;
  roomSid: string;
}

/** A stretch of a table's keys: all above `from`, up to `to`. */
export interface Stretch {
  from: number;
  to: number;
}

/** The SQL of erasure: searching the tables window by window, and erasing what was found. */
export class EraseSteps {
  constructor(
    private readonly dialect: Dialect,
    private readonly project: string | undefined,
  ) {}

  /** Those of the next bodies after a position in the log that may hold this text; `last` is `null` at the end. */
  async bodies(
    manager: EntityManager,
    text: string,
    from: number,
  ): Promise<{ found: SearchedBody[]; last: number | null }> {
    const window = this.parameters();
    const [row] = await manager.query<{ last: number | string | null }[]>(
      `SELECT max(event_seq) AS last FROM
         (SELECT event_seq FROM livekit_bodies WHERE event_seq > ${window.add(from)} ORDER BY event_seq LIMIT ${WINDOW}) AS w`,
      window.values,
    );
    if (row?.last == null) return { found: [], last: null };
    const p = this.parameters();
    const rows = await manager.query<{ seq: number | string; kind: EventKind; raw: Buffer | ArrayBuffer }[]>(
      `SELECT e.seq, e.kind, b.raw FROM livekit_bodies b JOIN livekit_events e ON e.seq = b.event_seq
       WHERE b.event_seq > ${p.add(from)} AND b.event_seq <= ${p.add(Number(row.last))} ${this.ofProject(p, 'e.source')}
         AND ${this.mayHold(p, 'b.raw', text)} ORDER BY b.event_seq`,
      p.values,
    );
    const found = rows.map(({ seq, kind, raw }) => ({ seq: Number(seq), kind, raw: bytes(raw) }));
    return { found, last: Number(row.last) };
  }

  /** The next bodies in quarantine, in the same way. */
  async quarantined(
    manager: EntityManager,
    text: string,
    from: { source: string; sha256: string },
  ): Promise<{ found: SearchedQuarantine[]; last: { source: string; sha256: string } | null }> {
    const p = this.parameters();
    const rows = await manager.query<{ source: string; sha256: string; raw: Buffer | ArrayBuffer | null }[]>(
      `SELECT source, sha256, CASE WHEN ${this.mayHold(p, 'raw', text)} THEN raw END AS raw FROM livekit_quarantine
       WHERE (source, sha256) > (${p.add(from.source)}, ${p.add(from.sha256)}) ORDER BY source, sha256 LIMIT ${WINDOW}`,
      p.values,
    );
    const found = rows.flatMap(({ source, sha256, raw }) =>
      raw === null || (this.project !== undefined && source !== this.project)
        ? []
        : [{ source, sha256, raw: bytes(raw) }],
    );
    return { found, last: rows.at(-1) ?? null };
  }

  /** What is searched: the log by `seq` and the deliveries by id, as they are now. What was pruned long ago is not walked over. */
  async stretches(manager: EntityManager): Promise<{ events: Stretch; deliveries: Stretch }> {
    const stretch = async (table: string, key: string): Promise<Stretch> => {
      const [row] = await manager.query<{ from_key: number | string; to_key: number | string }[]>(
        // Each in a query of its own: SQLite looks up one of them, and for both it reads the whole table.
        `SELECT coalesce((SELECT min(${key}) FROM ${table}) - 1, 0) AS from_key,
           coalesce((SELECT max(${key}) FROM ${table}), 0) AS to_key`,
      );
      return { from: Number(row?.from_key), to: Number(row?.to_key) };
    };
    return {
      events: await stretch('livekit_events', 'seq'),
      deliveries: await stretch('livekit_deliveries', 'id'),
    };
  }

  /** The events of a room of this name or sid, in the next stretch of the log. */
  async eventsOfRoom(
    manager: EntityManager,
    room: string,
    from: number,
  ): Promise<{ found: { seq: number; source: string; roomSid: string | null }[]; last: number }> {
    const p = this.parameters();
    const last = from + WIDE_WINDOW;
    const rows = await manager.query<{ seq: number | string; source: string; room_sid: string | null }[]>(
      `SELECT seq, source, room_sid FROM livekit_events
       WHERE seq > ${p.add(from)} AND seq <= ${p.add(last)} ${this.ofProject(p, 'source')}
         AND (room_name = ${p.add(room)} OR room_sid = ${p.add(room)})`,
      p.values,
    );
    return {
      found: rows.map(({ seq, source, room_sid }) => ({ seq: Number(seq), source, roomSid: room_sid })),
      last,
    };
  }

  /** The next events of a room after a position in the log. */
  async eventsOfSid(
    manager: EntityManager,
    { source, roomSid }: SidOfProject,
    from: number,
  ): Promise<number[]> {
    const p = this.parameters();
    const ofSid = `source = ${p.add(source)} AND room_sid = ${p.add(roomSid)} AND seq > ${p.add(from)}`;
    const rows = await manager.query<{ seq: number | string }[]>(
      `SELECT seq FROM livekit_events WHERE ${ofSid} AND routed
       UNION ALL SELECT seq FROM livekit_events WHERE ${ofSid} AND NOT routed ORDER BY seq LIMIT ${WINDOW}`,
      p.values,
    );
    return rows.map(({ seq }) => Number(seq));
  }

  /** The deliveries with an error that holds this text, in the next stretch of them. */
  async errorsWith(
    manager: EntityManager,
    text: string,
    from: number,
  ): Promise<{ found: number[]; last: number }> {
    const p = this.parameters();
    const last = from + WIDE_WINDOW;
    const wanted = p.add(text);
    const range = (column: string) => `${column} > ${p.add(from)} AND ${column} <= ${p.add(last)}`;
    const holds = this.dialect === 'postgres' ? 'strpos' : 'instr';
    const rows = await manager.query<{ id: number | string }[]>(
      `SELECT d.id FROM livekit_deliveries d JOIN livekit_events e ON e.seq = d.event_seq
       WHERE ${range('d.id')} ${this.ofProject(p, 'e.source')} AND d.id IN
         (SELECT id FROM livekit_deliveries WHERE ${range('id')} AND error IS NOT NULL AND ${holds}(error, ${wanted}) > 0
          UNION SELECT delivery_id FROM livekit_attempts WHERE ${range('delivery_id')} AND ${holds}(error, ${wanted}) > 0)`,
      p.values,
    );
    return { found: rows.map(({ id }) => Number(id)), last };
  }

  /** Erases the bytes of events, the errors of their deliveries, and the bytes of the `delivery.dead` events about those. */
  async events(manager: EntityManager, seqs: readonly number[]): Promise<{ bodies: number; errors: number }> {
    const p = this.parameters();
    const rows = await manager.query<{ id: number | string; dead: number | string | null }[]>(
      `SELECT d.id, n.seq AS dead FROM livekit_deliveries d JOIN livekit_events e ON e.seq = d.event_seq
       LEFT JOIN livekit_events n ON n.source = e.source AND n.event_id = 'dead:' || CAST(d.id AS text)
       WHERE ${p.isOneOf('d.event_seq', seqs)}`,
      p.values,
    );
    const notices = rows.flatMap(({ dead }) => (dead === null ? [] : [Number(dead)]));
    const all = this.parameters();
    const gone = await manager.query(
      `DELETE FROM livekit_bodies WHERE ${all.isOneOf('event_seq', [...seqs, ...notices])} RETURNING event_seq`,
      all.values,
    );
    const errors = await this.errors(
      manager,
      rows.map(({ id }) => Number(id)),
    );
    return { bodies: rowsOf(gone).length, errors };
  }

  /** Erases the errors of deliveries. @returns how many texts. */
  async errors(manager: EntityManager, deliveries: readonly number[]): Promise<number> {
    if (deliveries.length === 0) return 0;
    const p = this.parameters();
    const last = await manager.query(
      `UPDATE livekit_deliveries SET error = NULL WHERE ${p.isOneOf('id', deliveries)} AND error IS NOT NULL RETURNING id`,
      p.values,
    );
    const q = this.parameters();
    const earlier = await manager.query(
      `UPDATE livekit_attempts SET error = 'erased'
       WHERE ${q.isOneOf('delivery_id', deliveries)} AND error <> 'erased' RETURNING attempt`,
      q.values,
    );
    return rowsOf(last).length + rowsOf(earlier).length;
  }

  /** Replaces a room's name with a pseudonym, in its events and in the order keys of their deliveries. */
  async roomNames(manager: EntityManager, seqs: readonly number[], pseudonym: string): Promise<number> {
    const order = this.parameters();
    const key = order.add(pseudonym);
    await manager.query(
      `UPDATE livekit_deliveries SET order_key = (SELECT e.source || '/' || CAST(${key} AS text) FROM livekit_events e
         WHERE e.seq = livekit_deliveries.event_seq)
       WHERE ${order.isOneOf('event_seq', seqs)} AND EXISTS (SELECT 1 FROM livekit_events e
         WHERE e.seq = livekit_deliveries.event_seq AND order_key = e.source || '/' || e.room_name)`,
      order.values,
    );
    const p = this.parameters();
    const name = p.add(pseudonym);
    const renamed = await manager.query(
      `UPDATE livekit_events SET room_name = ${name}
       WHERE ${p.isOneOf('seq', seqs)} AND room_name <> ${name} RETURNING seq`,
      p.values,
    );
    return rowsOf(renamed).length;
  }

  /** Erases bodies in quarantine. */
  async quarantine(manager: EntityManager, bodies: readonly SearchedQuarantine[]): Promise<number> {
    const p = this.parameters();
    const keys = bodies.map(({ source, sha256 }) => [source, sha256] as const);
    const gone = await manager.query(
      `DELETE FROM livekit_quarantine WHERE ${p.isOneOfPairs('source, sha256', keys)} RETURNING sha256`,
      p.values,
    );
    return rowsOf(gone).length;
  }

  private ofProject(p: SqlParameters, column: string): string {
    return this.project === undefined ? '' : `AND ${column} = ${p.add(this.project)}`;
  }

  // An escaped text may look like anything: whatever has a backslash may hold it.
  private mayHold(p: SqlParameters, column: string, text: string): string {
    const [wanted, backslash] = [p.add(Buffer.from(text)), p.add(Buffer.from('\\'))];
    const position = (part: string) =>
      this.dialect === 'postgres' ? `position(${part}::bytea in ${column})` : `instr(${column}, ${part})`;
    return `(${position(wanted)} > 0 OR ${position(backslash)} > 0)`;
  }

  private parameters(): SqlParameters {
    return new SqlParameters(this.dialect);
  }
}

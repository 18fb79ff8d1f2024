import type { EntityManager } from 'typeorm';
import type { Dialect } from '../../database/sql.js';
import { rowsOf, SqlParameters } from '../../database/sql.js';
import type { EventKind } from '../events.js';
import { hearersSql } from '../route/fan-out.js';
import type { FlooredEvent } from './dedup-floor.js';

/** Rows examined in one transaction: few enough that webhooks, which wait behind it on SQLite, hardly notice. */
export const BATCH = 500;

/** How many rows a step removed, and where the next one begins; `null`: there is no more to examine. */
export interface Step<Cursor> {
  removed: number;
  next: Cursor | null;
}

/** The position of a walk over finished deliveries. */
export interface DeliveryCursor {
  doneAt: number;
  id: number;
}

/** An event that may be pruned. */
export interface PrunableEvent extends FlooredEvent {
  seq: number;
}

interface Keyed {
  id: number | string;
}

/** The states of a delivery that has ended and waits for nobody. */
const FINISHED = "('done', 'discarded', 'dismissed', 'replayed', 'retired')";

/**
 * The SQL of the events with some `seq`s, as `e`, and of the handlers subscribed to them that are being backfilled, as
 * `hearers`. Materialized, or PostgreSQL scans everything as old, or all deliveries, for these few, while its statistics
 * date from before they were routed.
 */
const numbered = (dialect: Dialect, condition: string): string =>
  `WITH e AS MATERIALIZED
     (SELECT seq, source, kind, name, occurred_at, received_at, routed FROM livekit_events WHERE ${condition}),
   ${hearersSql(dialect, 'e', 'h.retired_at IS NULL AND h.backfill_seq IS NOT NULL')}`;

/** The SQL condition that nothing waits for this old event of `e` any more: no delivery, and no backfill that comes to it. */
const isDone = (cutoff: string): string =>
  `e.received_at < ${cutoff} AND e.routed AND NOT EXISTS (
     SELECT 1 FROM livekit_deliveries d WHERE d.event_seq = e.seq AND d.state IN ('pending', 'running', 'dead'))
   AND NOT EXISTS (
     SELECT 1 FROM hearers h WHERE h.kind = e.kind AND h.event = e.name AND e.seq > h.backfill_seq AND e.seq <= h.backfill_to
       AND e.received_at >= h.backfill_since)`;

/**
 * The SQL of retention. Every step examines the next rows after a cursor, in the order of an index: so what must stay
 * (dead letters) is skipped once, and no statement examines more than a batch.
 */
export class PruneSteps {
  constructor(private readonly dialect: Dialect) {}

  /**
   * The last position in the log that a walk needs to examine; `null` when nothing is that old. Events are received in
   * roughly the order of the log: one that was overtaken by more than a thousand is found by the next pass.
   */
  async lastBefore(manager: EntityManager, cutoff: number): Promise<number | null> {
    const p = this.parameters();
    const [row] = await manager.query<{ last: number | string | null }[]>(
      `SELECT max(seq) AS last FROM
         (SELECT seq FROM livekit_events WHERE routed AND received_at < ${p.add(cutoff)} ORDER BY received_at DESC, seq DESC LIMIT 1000) AS late`,
      p.values,
    );
    return row?.last == null ? null : Number(row.last);
  }

  /** Prunes bytes, in the order of the log. */
  async bodies(manager: EntityManager, cutoff: number, from: number, to: number): Promise<Step<number>> {
    const window = this.parameters();
    const rows = await manager.query<Keyed[]>(
      `SELECT event_seq AS id FROM livekit_bodies
       WHERE event_seq > ${window.add(from)} AND event_seq <= ${window.add(to)} ORDER BY event_seq LIMIT ${BATCH}`,
      window.values,
    );
    const seqs = idsOf(rows);
    if (seqs.length === 0) return { removed: 0, next: null };
    const p = this.parameters();
    const gone = await manager.query(
      `${numbered(this.dialect, p.isOneOf('seq', seqs))}
       DELETE FROM livekit_bodies WHERE event_seq IN (SELECT e.seq FROM e WHERE ${isDone(p.add(cutoff))})
       RETURNING event_seq`,
      p.values,
    );
    return { removed: rowsOf(gone).length, next: behind(seqs) };
  }

  /** Prunes deliveries with their attempts, in the order they ended. */
  async deliveries(
    manager: EntityManager,
    cutoff: number,
    { doneAt, id }: DeliveryCursor,
  ): Promise<Step<DeliveryCursor>> {
    const window = this.parameters();
    const at = window.add(doneAt);
    const rows = await manager.query<(Keyed & { done_at: number | string })[]>(
      `SELECT id, done_at FROM livekit_deliveries
       WHERE done_at < ${window.add(cutoff)} AND done_at >= ${at} AND (done_at > ${at} OR id > ${window.add(id)})
       ORDER BY done_at, id LIMIT ${BATCH}`,
      window.values,
    );
    const last = rows.at(-1);
    if (last === undefined) return { removed: 0, next: null };
    const p = this.parameters();
    const gone = idsOf(
      rowsOf<Keyed>(
        await manager.query(
          `DELETE FROM livekit_deliveries WHERE ${p.isOneOf('id', idsOf(rows))} AND state IN ${FINISHED} RETURNING id`,
          p.values,
        ),
      ),
    );
    await this.deleteIn(manager, 'livekit_attempts', 'delivery_id', gone);
    return {
      removed: gone.length,
      next: rows.length < BATCH ? null : { doneAt: Number(last.done_at), id: Number(last.id) },
    };
  }

  /** The events that may be pruned now, among the next ones of the log. */
  async prunableEvents(
    manager: EntityManager,
    cutoff: number,
    from: number,
    to: number,
  ): Promise<{ events: PrunableEvent[]; next: number | null }> {
    const p = this.parameters();
    const rows = await manager.query<
      {
        seq: number | string;
        source: string;
        kind: EventKind;
        occurred_at: number | string;
        is_done: boolean | number;
      }[]
    >(
      `${numbered(this.dialect, `seq > ${p.add(from)} AND seq <= ${p.add(to)} ORDER BY seq LIMIT ${BATCH}`)}
       SELECT e.seq, e.source, e.kind, e.occurred_at, (${isDone(p.add(cutoff))}) AS is_done
       FROM e ORDER BY e.seq`,
      p.values,
    );
    return {
      events: rows
        .filter((row) => row.is_done)
        .map(({ seq, source, kind, occurred_at }) => ({
          seq: Number(seq),
          source,
          kind,
          occurredAt: Number(occurred_at),
        }))
        // An event dated in the future stays until then: its floor would shut out everything before it.
        .filter(({ kind, occurredAt }) => kind !== 'livekit' || occurredAt < cutoff),
      next: behind(rows.map(({ seq }) => Number(seq))),
    };
  }

  /** Prunes those of these events that may still be pruned, with all that belongs to them. @returns how many. */
  async events(manager: EntityManager, cutoff: number, seqs: readonly number[]): Promise<number> {
    const p = this.parameters();
    const gone = idsOf(
      rowsOf<Keyed>(
        await manager.query(
          `${numbered(this.dialect, p.isOneOf('seq', seqs))}
           DELETE FROM livekit_events WHERE seq IN (SELECT e.seq FROM e WHERE ${isDone(p.add(cutoff))}) RETURNING seq AS id`,
          p.values,
        ),
      ),
    );
    if (gone.length === 0) return 0;
    await this.deleteIn(manager, 'livekit_bodies', 'event_seq', gone);
    const some = this.parameters();
    const deliveries = rowsOf<Keyed>(
      await manager.query(
        `DELETE FROM livekit_deliveries WHERE ${some.isOneOf('event_seq', gone)} RETURNING id`,
        some.values,
      ),
    );
    await this.deleteIn(manager, 'livekit_attempts', 'delivery_id', idsOf(deliveries));
    return gone.length;
  }

  private async deleteIn(
    manager: EntityManager,
    table: string,
    column: string,
    ids: readonly number[],
  ): Promise<void> {
    for (let from = 0; from < ids.length; from += BATCH) {
      const p = this.parameters();
      const these = p.isOneOf(column, ids.slice(from, from + BATCH));
      await manager.query(`DELETE FROM ${table} WHERE ${these}`, p.values);
    }
  }

  private parameters(): SqlParameters {
    return new SqlParameters(this.dialect);
  }
}

const idsOf = (rows: readonly Keyed[]): number[] => rows.map(({ id }) => Number(id));

const behind = (seqs: readonly number[]): number | null =>
  seqs.length < BATCH ? null : (seqs.at(-1) ?? null);

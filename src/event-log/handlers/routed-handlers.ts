import type { EntityManager } from 'typeorm';
import type { Parameters } from '../../database/sql.js';
import type { EventHeader } from '../events.js';

/** A handler of any process, as the router needs it. */
export interface RoutedHandler {
  name: string;
  ordered: boolean;
  blocking: boolean;
  hears(event: Pick<EventHeader, 'kind' | 'name'>): boolean;
  /** Whether a new event is left to its backfill: of a room, nothing new may come before what is old. */
  isLeft(event: Pick<EventHeader, 'seq' | 'receivedAt'>): boolean;
}

/** One that is being given what was stored before. */
export interface BackfilledHandler extends RoutedHandler {
  /** The last place in the log that it has been given. */
  from: number;
  /** The last place that it is to be given. */
  to: number;
  /** Only what was received since then, UTC milliseconds. */
  since: number;
  /** It has more to do than a little already. */
  isBusy: boolean;
}

interface BackfillRow extends HandlerRow {
  backfill_to: number | string;
  busy: boolean | number;
}

interface HandlerRow {
  name: string;
  patterns: string;
  ordered: boolean | number;
  blocking: boolean | number;
  backfill_seq: number | string | null;
  backfill_since: number | string | null;
}

/** Reads the handlers that are to be given deliveries. */
export class RoutedHandlers {
  private readonly heard = new Map<string, ReadonlySet<string>>();

  async read(manager: EntityManager): Promise<RoutedHandler[]> {
    const rows = await manager.query<HandlerRow[]>(
      'SELECT name, patterns, ordered, blocking, backfill_seq, backfill_since FROM livekit_handlers WHERE retired_at IS NULL',
    );
    return rows.map((row) => this.handlerOf(row));
  }

  /**
   * A handler that waits for what was stored before it: one that has little to do, if there is one.
   *
   * @param now the SQL of it.
   * @param enough how many due deliveries are more than little.
   */
  async nextToBackfill(
    manager: EntityManager,
    p: Parameters,
    now: string,
    enough: number,
  ): Promise<BackfilledHandler | null> {
    const isBusy = `EXISTS (SELECT 1 FROM livekit_deliveries d
      WHERE d.handler = h.name AND d.state = 'pending' AND d.due_at <= ${now} LIMIT 1 OFFSET ${enough})`;
    const [row] = await manager.query<BackfillRow[]>(
      `SELECT name, patterns, ordered, blocking, backfill_seq, backfill_to, backfill_since, ${isBusy} AS busy
       FROM livekit_handlers h WHERE retired_at IS NULL AND backfill_seq IS NOT NULL ORDER BY busy, name LIMIT 1`,
      p.values,
    );
    if (row === undefined) return null;
    return {
      ...this.handlerOf(row),
      isBusy: Boolean(row.busy),
      from: Number(row.backfill_seq),
      to: Number(row.backfill_to),
      since: Number(row.backfill_since),
    };
  }

  /** Remembers how far a backfill has got; `null`: to its end. */
  async backfilled(manager: EntityManager, p: Parameters, name: string, seq: number | null): Promise<void> {
    const progress =
      seq === null
        ? 'backfill_seq = NULL, backfill_to = NULL, backfill_since = NULL'
        : `backfill_seq = ${p.add(seq)}`;
    await manager.query(`UPDATE livekit_handlers SET ${progress} WHERE name = ${p.add(name)}`, p.values);
  }

  /** Lets the backfill of a handler go on to the last event that was left to it; `undefined`: none was. */
  async extend(manager: EntityManager, p: Parameters, name: string, seq: number | undefined): Promise<void> {
    if (seq === undefined) return;
    const to = p.add(seq);
    await manager.query(
      `UPDATE livekit_handlers SET backfill_to = ${to} WHERE name = ${p.add(name)} AND backfill_to < ${to}`,
      p.values,
    );
  }

  private handlerOf(row: HandlerRow): RoutedHandler {
    const heard = this.patterns(row.patterns);
    const ordered = Boolean(row.ordered);
    const since = Number(row.backfill_since);
    const from = row.backfill_seq === null ? Number.POSITIVE_INFINITY : Number(row.backfill_seq);
    return {
      name: row.name,
      ordered,
      blocking: Boolean(row.blocking),
      isLeft: ({ seq, receivedAt }) => ordered && seq > from && receivedAt >= since,
      hears: ({ kind, name: event }) => heard.has(`${kind}:${event}`) || heard.has(`${kind}:*`),
    };
  }

  // There are as many texts as handlers have had sets of events.
  private patterns(text: string): ReadonlySet<string> {
    const known = this.heard.get(text);
    if (known !== undefined) return known;
    const patterns = new Set(JSON.parse(text) as string[]);
    this.heard.set(text, patterns);
    return patterns;
  }
}

import { Injectable } from '@nestjs/common';
import { EventStore } from '../../database/event-store.js';
import { sharedRead } from '../../database/shared-read.js';
import { StoreClock } from '../clock.js';
import { FIRST_UNROUTED } from '../route/router.js';

/** The most deliveries of a handler that are counted: counting more would hold up the process, in which SQLite runs. */
export const MOST_COUNTED = 10_000;

/** The order to count deliveries of a state in: that of its index, or PostgreSQL might search all that ever were. */
const COUNTED_BY = { pending: 'due_at', running: 'lease_until', dead: 'order_key' } as const;

/** The SQL that counts the deliveries of `livekit_handlers h` in a state, up to `MOST_COUNTED`. */
export const counted = (state: keyof typeof COUNTED_BY): string =>
  `(SELECT count(*) FROM (SELECT 1 FROM livekit_deliveries d WHERE d.handler = h.name AND d.state = '${state}'
     ORDER BY d.${COUNTED_BY[state]} LIMIT ${MOST_COUNTED}) counted)`;

/** A handler's backlog. */
export interface HandlerBacklog {
  handler: string;
  /** Pending deliveries, including those not due yet; `MOST_COUNTED` at most. */
  pending: number;
  /** Dead letters; `MOST_COUNTED` at most. */
  dead: number;
  /**
   * How long the most overdue delivery has been due, milliseconds; 0 when nothing is due, or the handler is paused. Not
   * the age of its event, which retries may stretch to hours while nothing is late.
   */
  overdue: number;
}

/** The backlog of all handlers. */
export interface BacklogSummary {
  handlers: HandlerBacklog[];
  /** How long the oldest event that is not routed yet has been in the log, milliseconds; 0: all are routed. */
  unrouted: number;
}

interface BacklogRow {
  name: string;
  pending: number | string;
  dead: number | string;
  overdue: number | string | null;
}

/** Reads from the store what is still to be delivered, in a time that does not grow with the backlog. */
@Injectable()
export class Backlog {
  /** The whole backlog, for metrics and health: concurrent callers share one read, and wait 2 s at most. */
  readonly summary: () => Promise<BacklogSummary> = sharedRead(async () => ({
    handlers: await this.ofHandlers(),
    unrouted: await this.unrouted(),
  }));

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
  ) {}

  /** The backlog of each handler that is not retired, by name. */
  async ofHandlers(): Promise<HandlerBacklog[]> {
    const p = this.clock.parameters();
    const first =
      "(SELECT min(d.due_at) FROM livekit_deliveries d WHERE d.handler = h.name AND d.state = 'pending')";
    const rows = await this.store.read((manager) =>
      manager.query<BacklogRow[]>(
        `SELECT h.name, ${counted('pending')} AS pending, ${counted('dead')} AS dead,
           CASE WHEN h.paused THEN 0 ELSE ${this.clock.now(p)} - ${first} END AS overdue
         FROM livekit_handlers h WHERE h.retired_at IS NULL ORDER BY h.name`,
        p.values,
      ),
    );
    return rows.map(({ name, pending, dead: letters, overdue }) => ({
      handler: name,
      pending: Number(pending),
      dead: Number(letters),
      overdue: Math.max(0, Number(overdue ?? 0)),
    }));
  }

  /**
   * How long the oldest event that waits for each handler has been in the log, milliseconds; 0: none waits. Looks at
   * `MOST_COUNTED` deliveries at most, those that are due first.
   */
  async ages(handlers: readonly string[]): Promise<Map<string, number>> {
    const p = this.clock.parameters();
    const now = this.clock.wallNow(p);
    const ages = handlers.map((handler) => {
      const name = p.add(handler);
      const first = `SELECT min(event_seq) FROM (SELECT event_seq FROM livekit_deliveries
        WHERE handler = ${name} AND state = 'pending' ORDER BY due_at LIMIT ${MOST_COUNTED}) waiting`;
      return `SELECT ${name} AS name, ${now} - received_at AS age FROM livekit_events WHERE seq = (${first})`;
    });
    const rows = await this.store.read((manager) =>
      manager.query<{ name: string; age: number | string }[]>(ages.join(' UNION ALL '), p.values),
    );
    const known = new Map(rows.map(({ name, age }) => [name, Math.max(0, Number(age))]));
    return new Map(handlers.map((handler) => [handler, known.get(handler) ?? 0]));
  }

  /** How long the oldest event that is not routed yet has been in the log, milliseconds; 0: all are routed. */
  async unrouted(): Promise<number> {
    const p = this.clock.parameters();
    const [row] = await this.store.read((manager) =>
      manager.query<{ age: number | string }[]>(
        `SELECT ${this.clock.wallNow(p)} - received_at AS age FROM ${FIRST_UNROUTED}`,
        p.values,
      ),
    );
    return Math.max(0, Number(row?.age ?? 0));
  }
}

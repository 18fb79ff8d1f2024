import { Injectable } from '@nestjs/common';
import { EventStore } from '../../database/event-store.js';
import { sharedRead } from '../../database/shared-read.js';
import { StoreClock } from '../clock.js';
import { FIRST_UNROUTED } from '../router.js';

/** How many of a handler's deliveries are counted: to count more would hold up the process that SQLite answers in. */
export const MOST_COUNTED = 10_000;

/** In which order deliveries of a state are counted: of its index, or PostgreSQL might look for them among all that ever were. */
const COUNTED_BY = { pending: 'due_at', running: 'lease_until', dead: 'order_key' } as const;

/** The SQL of how many deliveries of `livekit_handlers h` are in a state; `MOST_COUNTED` at most. */
export const counted = (state: keyof typeof COUNTED_BY): string =>
  `(SELECT count(*) FROM (SELECT 1 FROM livekit_deliveries d WHERE d.handler = h.name AND d.state = '${state}'
     ORDER BY d.${COUNTED_BY[state]} LIMIT ${MOST_COUNTED}) counted)`;

/** How much a handler has before it. */
export interface HandlerBacklog {
  handler: string;
  /** Deliveries that wait, those that are not due yet among them; `MOST_COUNTED` at most. */
  pending: number;
  /** Dead letters; `MOST_COUNTED` at most. */
  dead: number;
  /**
   * For how long the one that has been due the longest has been due, milliseconds; 0 when nothing is due, or the handler
   * is paused. Not the age of its event, which a retry may let grow for hours while nobody is late.
   */
  overdue: number;
}

/** How far deliveries are behind, of all handlers. */
export interface BacklogSummary {
  handlers: HandlerBacklog[];
  /** For how long the oldest event that has not been handed to any handler has been in the log, milliseconds; 0: all have been. */
  unrouted: number;
}

interface BacklogRow {
  name: string;
  pending: number | string;
  dead: number | string;
  overdue: number | string | null;
}

/** Tells what is still to be delivered, by what the store says, in a time that does not grow with it. */
@Injectable()
export class Backlog {
  /** All of it, read once for everybody who asks at once, for 2 s at most: for metrics and health. */
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
   * For how long the oldest event that waits for a handler has been in the log, milliseconds, by handler; 0: none waits. Of
   * `MOST_COUNTED` at most, those that are due first.
   */
  async ages(handlers: readonly string[]): Promise<Map<string, number>> {
    const p = this.clock.parameters();
    const now = this.clock.now(p);
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

  /** For how long the oldest event that has not been handed to any handler has been in the log, milliseconds; 0: all have been. */
  async unrouted(): Promise<number> {
    const p = this.clock.parameters();
    const [row] = await this.store.read((manager) =>
      manager.query<{ age: number | string }[]>(
        `SELECT ${this.clock.now(p)} - received_at AS age FROM ${FIRST_UNROUTED}`,
        p.values,
      ),
    );
    return Math.max(0, Number(row?.age ?? 0));
  }
}

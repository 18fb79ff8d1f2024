import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { lock } from '../../database/advisory-locks.js';
import { rowsOf } from '../../database/sql.js';
import { StoreClock } from '../clock.js';
import { plainText } from '../../database/plain-text.js';
import { BLOCKED, dueInRoom, lastDueInRoom } from '../room-wait.js';
import { STEP } from '../in-steps.js';
import type { Handler } from './handler.js';

/** How long a handler that no process has any more still gets deliveries, milliseconds: longer than any deploy takes. */
const RETIRED_AFTER = 7 * 86_400_000;

/** The SQL of when the last delivery that waits for handler `h` is due, which PostgreSQL reads off its index. */
const LAST_DUE =
  "(SELECT max(d.due_at) FROM livekit_deliveries d WHERE d.handler = h.name AND d.state = 'pending')";

/** The handlers that the router fans out to: those of every process, whatever its release. */
@Injectable()
export class HandlerTable {
  constructor(private readonly clock: StoreClock) {}

  /**
   * Registers the handlers of this process. From this commit on, they get every event that any process routes, so a
   * new handler misses nothing that is appended after its first start.
   */
  async enter(manager: EntityManager, handlers: Iterable<Handler>): Promise<void> {
    // No process may route meanwhile: its events would miss our new handlers, and lie beyond the end of their backfill.
    await lock(manager, 'ordering');
    for (const handler of handlers) {
      const p = this.clock.parameters();
      const backfill =
        handler.backfillSince === null
          ? 'NULL, NULL, NULL'
          : `0, (SELECT coalesce(max(seq), 0) FROM livekit_events), ${p.add(handler.backfillSince)}`;
      await manager.query(
        `INSERT INTO livekit_handlers (backfill_seq, backfill_to, backfill_since, name, patterns, ordered, blocking, first_seen, last_seen)
         VALUES (${backfill}, ${p.add(handler.name)}, ${p.add(JSON.stringify(handler.patterns.map(plainText)))},
           ${handler.ordered}, ${handler.blocking}, ${this.clock.now(p)}, ${this.clock.now(p)})
         ON CONFLICT (name) DO UPDATE SET patterns = excluded.patterns, ordered = excluded.ordered, blocking = excluded.blocking,
           last_seen = excluded.last_seen, retired_at = NULL`,
        p.values,
      );
    }
  }

  /**
   * Lets go of some deliveries that wait behind dead letters of a handler that does not block any more: in an earlier
   * release it did.
   *
   * @returns how many; 0: there are no more.
   */
  async unblock(manager: EntityManager): Promise<number> {
    await lock(manager, 'ordering');
    const some = await this.letGo(manager, 'replay_no = 0');
    return some > 0 ? some : this.letGo(manager, 'replay_no > 0'); // replays come after the others of their room
  }

  // What is left of a room stays blocked, and what is new of it waits behind that: it must come after what was let go before.
  private async letGo(manager: EntityManager, which: string): Promise<number> {
    const p = this.clock.parameters();
    const rows = rowsOf(
      await manager.query(
        `WITH opened AS MATERIALIZED (
           SELECT d.id AS delivery_id, coalesce(${lastDueInRoom('d.handler', 'd.order_key')}, ${this.clock.now(p)}) AS since
           FROM livekit_deliveries d
           WHERE d.state = 'pending' AND d.due_at = ${BLOCKED} AND d.${which} AND d.handler = (
             SELECT name FROM livekit_handlers h
             WHERE NOT blocking AND retired_at IS NULL AND ${LAST_DUE} = ${BLOCKED} ORDER BY name LIMIT 1)
           ORDER BY d.event_seq LIMIT ${STEP})
         UPDATE livekit_deliveries SET due_at = ${dueInRoom('opened.since')} FROM opened WHERE id = opened.delivery_id RETURNING id`,
        p.values,
      ),
    );
    return rows.length;
  }

  /** Records that this process still has these handlers. */
  async keep(manager: EntityManager, names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    await lock(manager, 'ordering'); // or two processes could deadlock on each other's rows
    const p = this.clock.parameters();
    await manager.query(
      `UPDATE livekit_handlers SET last_seen = ${this.clock.now(p)}, retired_at = NULL WHERE ${p.isOneOf('name', names)}`,
      p.values,
    );
  }

  /** Retires the handlers that no process has had for a week: they are given nothing any more. @returns their names. */
  async retire(manager: EntityManager): Promise<string[]> {
    const now = await this.clock.readWall(manager);
    const gone = this.clock.parameters();
    const rows = rowsOf<{ name: string }>(
      await manager.query(
        `UPDATE livekit_handlers SET retired_at = ${gone.add(now)}
         WHERE retired_at IS NULL AND last_seen < ${gone.add(now - RETIRED_AFTER)} RETURNING name`,
        gone.values,
      ),
    );
    return rows.map(({ name }) => name);
  }

  /**
   * Retires some deliveries that wait for a retired handler, even one retired earlier: somebody may have replayed them.
   *
   * @returns how many; 0: there are no more.
   */
  async retireWaiting(manager: EntityManager): Promise<number> {
    await lock(manager, 'ordering');
    const p = this.clock.parameters();
    const rows = rowsOf(
      await manager.query(
        `UPDATE livekit_deliveries SET state = 'retired', done_at = ${this.clock.now(p)}
         WHERE state = 'pending' AND id IN (
           SELECT id FROM livekit_deliveries
           WHERE state = 'pending' AND handler = (
             SELECT name FROM livekit_handlers h WHERE retired_at IS NOT NULL AND ${LAST_DUE} IS NOT NULL ORDER BY name LIMIT 1)
           ORDER BY due_at, event_seq LIMIT ${STEP})
         RETURNING id`,
        p.values,
      ),
    );
    return rows.length;
  }
}

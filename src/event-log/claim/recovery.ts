import { Injectable } from '@nestjs/common';
import { EventStore } from '../../database/event-store.js';
import { rowsOf, skipLocked, type SqlParameters } from '../../database/sql.js';
import { Log } from '../../logging/log.js';
import { StoreClock } from '../clock.js';
import { Leases } from './leases.js';

/** Releases deliveries that a dead process had claimed, and finds when there is something to do again. */
@Injectable()
export class Recovery {
  private readonly logger = new Log('DeliveryRunner');

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly leases: Leases,
  ) {}

  /** Releases what was left running: on SQLite, with its one process, all of it; on PostgreSQL what has outlived its lease. */
  async atStart(): Promise<void> {
    if (this.store.dialect === 'sqlite') await this.giveBack(() => 'true');
    else await this.ofTheDead();
  }

  /**
   * Releases deliveries that are running under a lease that is over. They keep their place, and the attempt counts. On
   * SQLite those that this process holds are alive, even if the clock was set forward beyond their lease.
   */
  async ofTheDead(): Promise<void> {
    if (this.store.dialect === 'sqlite' && (await this.isAnyOver())) await this.leases.renew();
    await this.giveBack((p) => this.isOver(p));
  }

  /**
   * What there is to wait for: milliseconds until the next delivery of these handlers falls due, or a lease is over, and
   * whether something is overdue, because others have it or hold it up.
   */
  async untilNext(handlers: readonly string[]): Promise<{ wait: number; isOverdue: boolean }> {
    const p = this.clock.parameters();
    const now = this.clock.now(p);
    const named = p.rows(
      ['text'],
      handlers.map((handler) => [handler]),
    );
    const due =
      "SELECT min(due_at) FROM livekit_deliveries WHERE state = 'pending' AND handler = hungry.name";
    const [row] = await this.store.read((manager) =>
      manager.query<{ wait: number | string | null; overdue: number | null }[]>(
        `WITH named (name) AS (${named}),
         hungry AS (SELECT name FROM named WHERE name NOT IN (SELECT name FROM livekit_handlers WHERE paused)),
         times (at) AS (
           SELECT (${due}) FROM hungry
           UNION ALL SELECT (${due} AND due_at > ${now}) FROM hungry
           UNION ALL SELECT min(lease_until) FROM livekit_deliveries WHERE state = 'running'
         )
         SELECT min(CASE WHEN at > ${now} THEN at END) - ${now} AS wait, max(CASE WHEN at <= ${now} THEN 1 END) AS overdue
         FROM times`,
        p.values,
      ),
    );
    return {
      wait: row?.wait == null ? Number.POSITIVE_INFINITY : Number(row.wait),
      isOverdue: row?.overdue != null,
    };
  }

  private isOver(p: SqlParameters): string {
    return `lease_until < ${this.clock.now(p)}`;
  }

  private async isAnyOver(): Promise<boolean> {
    const p = this.clock.parameters();
    const over = `SELECT 1 FROM livekit_deliveries WHERE state = 'running' AND ${this.isOver(p)} LIMIT 1`;
    const rows = await this.store.read((manager) => manager.query<unknown[]>(over, p.values));
    return rows.length > 0;
  }

  /** @param which the SQL condition on those that are running. */
  private async giveBack(which: (parameters: SqlParameters) => string): Promise<void> {
    const rows = rowsOf<{ id: number | string }>(
      await this.store.write((manager) => {
        const p = this.clock.parameters();
        return manager.query(
          // A machine that went down in the middle of an acknowledgement keeps that delivery locked until the server
          // notices: the others must not wait for that.
          `WITH left_behind AS MATERIALIZED (
             SELECT id FROM livekit_deliveries WHERE state = 'running' AND ${which(p)} ${skipLocked(this.store.dialect)}
           )
           UPDATE livekit_deliveries SET state = 'pending', lease_until = NULL, lease_token = NULL
           WHERE id IN (SELECT id FROM left_behind) RETURNING id`,
          p.values,
        );
      }),
    );
    if (rows.length === 0) return;
    this.logger.warn('deliveries were left running by a process that is gone: they are run again', {
      count: rows.length,
    });
  }
}

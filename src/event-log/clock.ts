import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../database/event-store.js';
import { SqlParameters } from '../database/sql.js';

/** Tells the time; replaced to simulate another day. */
export interface Clock {
  /** UTC milliseconds. */
  now(): number;
}

/** The longest wait of Node's timers, milliseconds: asked to wait longer, they do not wait at all. */
export const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** Injection token of the clock. */
export const CLOCK = Symbol.for('nestjs-livekit-webhooks:clock');

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() };

/**
 * A clock that never tells an earlier time than before. While `clock` has been set back, it goes on at half the pace, until
 * `clock` has caught up: what waits must not wait for that, however far ahead the clock was.
 *
 * @param monotonic milliseconds since any moment.
 */
export function neverBack(clock: Clock, monotonic: () => number): Clock {
  let last = { time: -Infinity, at: 0 };
  return {
    now() {
      const time = clock.now();
      const at = monotonic();
      const least = Math.floor(last.time + (at - last.at) / 2);
      if (time < least) return least;
      last = { time, at };
      return time;
    },
  };
}

/**
 * The time that decides what replicas share (what is due, which leases are over): PostgreSQL's own, because machines'
 * clocks differ. SQLite has one process, whose clock is as good; and a clock that a test provides is always used.
 */
@Injectable()
export class StoreClock {
  private readonly steady: Clock;

  constructor(
    private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    // A test's clock stands still.
    this.steady = neverBack(clock, clock === systemClock ? () => performance.now() : () => 0);
  }

  /** An empty list of parameters for a statement. */
  parameters(): SqlParameters {
    return new SqlParameters(this.store.dialect);
  }

  /**
   * The SQL of now, UTC milliseconds: the same moment throughout a statement.
   *
   * @param parameters those to add it to; without them it is written out.
   */
  now(parameters?: SqlParameters): string {
    return this.sqlOf(this.steady, parameters);
  }

  /** The same even if the clock was set back: for how long ago something was received, which is dated by the clock as it is. */
  wallNow(parameters?: SqlParameters): string {
    return this.sqlOf(this.clock, parameters);
  }

  /** Now, UTC milliseconds. */
  async read(manager: EntityManager): Promise<number> {
    const p = this.parameters();
    const [row] = await manager.query<{ now: number | string }[]>(`SELECT ${this.now(p)} AS now`, p.values);
    return Number(row?.now);
  }

  /** Now, even if the clock was set back: for what can't be undone, such as pruning, in case it was ahead for a while. */
  async readWall(manager: EntityManager): Promise<number> {
    return this.isShared ? this.read(manager) : this.clock.now();
  }

  private sqlOf(clock: Clock, parameters: SqlParameters | undefined): string {
    if (this.isShared) return '(extract(epoch FROM statement_timestamp()) * 1000)::bigint';
    const now = clock.now();
    return `CAST(${parameters?.add(now) ?? now} AS bigint)`;
  }

  private get isShared(): boolean {
    return this.store.dialect === 'postgres' && this.clock === systemClock;
  }
}

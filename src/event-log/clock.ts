import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../database/event-store.js';
import { Parameters } from '../database/sql.js';

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
 * The time that decides what replicas share (what is due, which leases are over): PostgreSQL's own, because machines'
 * clocks differ. SQLite has one process, whose clock is as good; and a clock that a test provides is always used.
 */
@Injectable()
export class StoreClock {
  private latest = 0;

  constructor(
    private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** An empty list of parameters for a statement. */
  parameters(): Parameters {
    return new Parameters(this.store.dialect);
  }

  /**
   * The SQL of now, UTC milliseconds: the same moment throughout a statement.
   *
   * @param parameters those to add it to; without them it is written out.
   */
  now(parameters?: Parameters): string {
    if (this.isShared) return '(extract(epoch FROM statement_timestamp()) * 1000)::bigint';
    // A clock that is set back must not keep due work waiting until it has caught up.
    this.latest = Math.max(this.latest, this.clock.now());
    return `CAST(${parameters?.add(this.latest) ?? this.latest} AS bigint)`;
  }

  /** Now, UTC milliseconds. */
  async read(manager: EntityManager): Promise<number> {
    const p = this.parameters();
    const [row] = await manager.query<{ now: number | string }[]>(`SELECT ${this.now(p)} AS now`, p.values);
    return Number(row?.now);
  }

  /** Now, even if the clock was set back: for what can't be undone, such as pruning, in case it was ahead for a while. */
  async readPutBack(manager: EntityManager): Promise<number> {
    return this.isShared ? this.read(manager) : this.clock.now();
  }

  private get isShared(): boolean {
    return this.store.dialect === 'postgres' && this.clock === systemClock;
  }
}

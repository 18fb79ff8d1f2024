import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../database/event-store.js';
import { Parameters } from '../database/sql.js';

/** Tells the time; replaced where another day is played. */
export interface Clock {
  /** UTC milliseconds. */
  now(): number;
}

/** Timers of Node's that are asked to wait longer do not wait at all, milliseconds. */
export const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** Where the clock is injected from. */
export const CLOCK = Symbol.for('nestjs-livekit-webhooks:clock');

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() };

/**
 * The time that decides what replicas share (what is due, whose lease is over): PostgreSQL's own, because machines
 * disagree. SQLite has one process, whose clock is as good; and a clock that was set by a test is always heeded.
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
   * The SQL of now, UTC milliseconds: the same moment wherever it stands in one statement.
   *
   * @param parameters where it is one of them, or else it is written out.
   */
  now(parameters?: Parameters): string {
    if (this.isShared) return '(extract(epoch FROM statement_timestamp()) * 1000)::bigint';
    // A clock that is put back must not keep what is due waiting until it is there again.
    this.latest = Math.max(this.latest, this.clock.now());
    return `CAST(${parameters?.add(this.latest) ?? this.latest} AS bigint)`;
  }

  /** Now, UTC milliseconds. */
  async read(manager: EntityManager): Promise<number> {
    const p = this.parameters();
    const [row] = await manager.query<{ now: number | string }[]>(`SELECT ${this.now(p)} AS now`, p.values);
    return Number(row?.now);
  }

  /** The same, but put back where the clock was: for what can't be undone, such as pruning, if it was ahead for a while. */
  async readPutBack(manager: EntityManager): Promise<number> {
    return this.isShared ? this.read(manager) : this.clock.now();
  }

  private get isShared(): boolean {
    return this.store.dialect === 'postgres' && this.clock === systemClock;
  }
}

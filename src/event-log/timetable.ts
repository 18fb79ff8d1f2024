import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { EventStore } from '../database/event-store.js';
import { errorFields } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';
import { StoreClock } from './clock.js';
import { giveWay } from './in-steps.js';
import { ROLE, type Role } from './role.js';

/** Work that falls due by itself, at a time kept in the store. */
export interface TimedWork {
  /** When the first of it is due, UTC milliseconds; `null`: nothing is to be done. */
  nextAt(): Promise<number | null>;
  /** Does some of what is due. @returns how much it did; 0: no more is due. */
  run(): Promise<number>;
}

/** The longest that it sleeps, milliseconds: another process may have stored something that is due sooner. */
const SLOW_POLL = 30_000;

/** How long it waits when the store fails, or another process does the work, milliseconds. */
const LATER = 1_000;

/** Does timed work when it falls due: it sleeps until then, and is woken when something is due sooner. */
@Injectable()
export class Timetable implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Log('Timetable');
  private readonly works: TimedWork[] = [];
  private loop: Promise<void> | undefined;
  private pass: Promise<unknown> = Promise.resolve();
  private wake: () => void = () => undefined;
  private wakesAt = 0;
  private stopping = false;
  private done = 0;

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    @Inject(ROLE) private readonly role: Role,
  ) {}

  onApplicationBootstrap(): void {
    if (this.works.length > 0 && this.role !== 'edge') this.loop = this.run();
  }

  /** Finishes the current step, and begins no other. */
  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.loop;
    await this.pass;
  }

  /** Adds the timed work of a part of the application. */
  register(work: TimedWork): void {
    this.works.push(work);
  }

  /** Reports that something is due at this time, UTC milliseconds, which may be sooner than anything else. */
  tell(dueAt: number): void {
    if (dueAt < this.wakesAt) this.wake();
  }

  /** How much has been done so far. */
  get count(): number {
    return this.done;
  }

  /** Does all that is due now. */
  async runDue(): Promise<void> {
    const pass = this.pass.then(() => this.runAll());
    this.pass = pass.catch(() => undefined);
    return pass;
  }

  private async runAll(): Promise<void> {
    const errors: unknown[] = [];
    for (const work of this.works) {
      try {
        for (let some = 1; some > 0 && !this.stopping; this.done += some) {
          some = await work.run();
          if (some > 0) await giveWay();
        }
      } catch (error) {
        errors.push(error); // other work is done all the same
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      const woken = new Promise<void>((resolve) => (this.wake = resolve));
      this.wakesAt = Infinity; // whatever is reported from here on wakes it
      const patience = await this.patience();
      if (this.stopping) return;
      const timer = new AbortController();
      const sleep = delay(patience, undefined, { signal: timer.signal, ref: false }).catch(() => undefined);
      await Promise.race([woken, sleep]);
      timer.abort();
      if (!this.stopping) await this.runDue().catch((error: unknown) => this.report(error));
    }
  }

  private async patience(): Promise<number> {
    try {
      const now = await this.store.read((manager) => this.clock.read(manager));
      const times = await Promise.all(this.works.map((work) => work.nextAt()));
      const next = Math.min(...times.map((time) => time ?? Infinity));
      this.wakesAt = Math.min(next, now + SLOW_POLL);
      // Work that is due and not done is another process's, or has failed.
      return next <= now ? LATER : Math.min(next - now, SLOW_POLL);
    } catch (error) {
      this.report(error);
      return LATER;
    }
  }

  private report(error: unknown): void {
    this.logger.error('the store failed work that is due; trying again', errorFields(error));
  }
}

import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { lock, tryLock } from '../../database/advisory-locks.js';
import { StoreClock } from '../clock.js';
import { DedupFloor } from './dedup-floor.js';
import { BATCH, PruneSteps, type Step } from './prune-steps.js';
import { RETENTION_SETTINGS, type RetentionSettings } from './retention-options.js';
import { ROLE, type Role } from '../role.js';
import { giveWay } from '../in-steps.js';
import { errorFields } from '../../logging/error-fields.js';
import { Log } from '../../logging/log.js';

/** How many rows were pruned. */
export interface PrunedCounts {
  bodies: number;
  deliveries: number;
  /** With what was left of their bytes and deliveries. */
  events: number;
  sessions: number;
}

/** Prunes tables of its own whenever `Retention` prunes sessions. */
export interface RetentionPart {
  /** Prunes some of what is older than `cutoff`, about `limit` rows, in the caller's transaction. @returns how many; 0: no more. */
  prune(manager: EntityManager, cutoff: number, limit: number): Promise<number>;
}

/** How long after the start it first prunes, milliseconds. */
const FIRST = 60_000;

/** How often it prunes after that, milliseconds. */
const INTERVAL = 3_600_000;

/** Prunes what has been kept for long enough, every hour, in small transactions that hold nobody up. */
@Injectable()
export class Retention implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Log('Retention');
  private readonly parts: RetentionPart[] = [];
  private readonly steps: PruneSteps;
  private pass: Promise<unknown> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private stopping = false;

  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly floor: DedupFloor,
    @Inject(RETENTION_SETTINGS) private readonly settings: RetentionSettings,
    @Inject(ROLE) private readonly role: Role,
  ) {
    this.steps = new PruneSteps(store.dialect);
  }

  onApplicationBootstrap(): void {
    if (this.role !== 'edge') this.pruneIn(FIRST);
  }

  /** Finishes the current batch, and begins no other. */
  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    await this.pass;
  }

  /**
   * Adds a part of the application that keeps data of its own to prune.
   *
   * @internal
   */
  register(part: RetentionPart): void {
    this.parts.push(part);
  }

  /** Prunes all that is due now. On PostgreSQL, what another process prunes meanwhile is left to it. */
  prune(): Promise<PrunedCounts> {
    const pass = this.pass.then(() => this.pruneAll());
    this.pass = pass.catch(() => undefined);
    return pass;
  }

  private pruneIn(milliseconds: number): void {
    this.timer = setTimeout(() => {
      void this.prune()
        .then((counts) => this.report(counts))
        .catch((error: unknown) =>
          this.logger.error('the store failed to prune; trying again later', errorFields(error)),
        )
        .finally(() => this.stopping || this.pruneIn(INTERVAL));
    }, milliseconds);
    this.timer.unref();
  }

  private report(counts: PrunedCounts): void {
    const pruned = Object.entries(counts).filter(([, count]) => count > 0);
    if (pruned.length > 0)
      this.logger.log('pruned', { counts: pruned.map(([what, count]) => `${count} ${what}`).join(', ') });
  }

  private async pruneAll(): Promise<PrunedCounts> {
    const now = await this.store.read((manager) => this.clock.readWall(manager));
    const older = async (what: keyof PrunedCounts, prune: (cutoff: number) => Promise<number>) => {
      const age = this.settings[what];
      return age === false || this.stopping ? 0 : prune(now - age);
    };
    return {
      deliveries: await older('deliveries', (cutoff) => this.pruneDeliveries(cutoff)),
      bodies: await older('bodies', (cutoff) => this.pruneBodies(cutoff)),
      events: await older('events', (cutoff) => this.pruneEvents(cutoff)),
      sessions: await older('sessions', (cutoff) => this.pruneParts(cutoff)),
    };
  }

  private pruneDeliveries(cutoff: number): Promise<number> {
    return this.walk({ doneAt: 0, id: 0 }, (cursor) =>
      this.batch((manager) => this.steps.deliveries(manager, cutoff, cursor)),
    );
  }

  private async pruneBodies(cutoff: number): Promise<number> {
    const last = await this.store.read((manager) => this.steps.lastBefore(manager, cutoff));
    if (last === null) return 0;
    return this.walk(0, (from) => this.unwanted((manager) => this.steps.bodies(manager, cutoff, from, last)));
  }

  private async pruneEvents(cutoff: number): Promise<number> {
    const last = await this.store.read((manager) => this.steps.lastBefore(manager, cutoff));
    if (last === null) return 0;
    return this.walk(0, async (from): Promise<Step<number> | null> => {
      const found = await this.batch(async (manager) => {
        const { events, next } = await this.steps.prunableEvents(manager, cutoff, from, last);
        await this.floor.raise(manager, events);
        return { seqs: events.map(({ seq }) => seq), next };
      });
      if (found === null) return null;
      const { seqs, next } = found;
      if (seqs.length === 0) return { removed: 0, next };
      if (!(await this.floor.isSeenByAll())) {
        this.logger.warn('a transaction on the log has been open for long: pruning its events later');
        return null;
      }
      const removed = await this.unwanted((manager) => this.steps.events(manager, cutoff, seqs));
      return removed === null ? null : { removed, next };
    });
  }

  private async pruneParts(cutoff: number): Promise<number> {
    let removed = 0;
    for (const part of this.parts) {
      removed += await this.walk('more', async () => {
        const some = await this.batch((manager) => part.prune(manager, cutoff, BATCH));
        return some === null ? null : { removed: some, next: some === 0 ? null : 'more' };
      });
    }
    return removed;
  }

  /** Takes steps until there is no more to examine, or another process is pruning. */
  private async walk<Cursor>(
    start: Cursor,
    take: (cursor: Cursor) => Promise<Step<Cursor> | null>,
  ): Promise<number> {
    let removed = 0;
    for (let cursor: Cursor | null = start; cursor !== null && !this.stopping;) {
      const step: Step<Cursor> | null = await take(cursor);
      if (step === null) break;
      removed += step.removed;
      cursor = step.next;
      await giveWay();
    }
    return removed;
  }

  /** A batch of what nothing waits for any more, nor starts to meanwhile, because replays and backfills hold the lock. */
  private unwanted<T>(work: (manager: EntityManager) => Promise<T>): Promise<T | null> {
    return this.batch(async (manager) => {
      await lock(manager, 'ordering');
      return work(manager);
    });
  }

  /** @returns `null` when another process is pruning. */
  private batch<T>(work: (manager: EntityManager) => Promise<T>): Promise<T | null> {
    return this.store.write(async (manager) => ((await tryLock(manager, 'pruning')) ? work(manager) : null));
  }
}

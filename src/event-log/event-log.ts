import { Inject, Injectable, Logger, type OnApplicationShutdown, Optional } from '@nestjs/common';
import { EventStore } from '../database/event-store.js';
import { appendBatch } from './append-batch.js';
import { APPEND_QUEUE_LIMITS, AppendQueue, type AppendQueueLimits } from './append-queue.js';
import { StoreUnavailableError } from './errors.js';
import type { AppendOutcome, LoggedEvent, NewEvent, QuarantinedBody } from './events.js';
import { quarantine } from './quarantine.js';

/** Where the limits of the queue in front of the store are injected from; without them `APPEND_QUEUE_LIMITS` hold. */
export const EVENT_LOG_LIMITS = Symbol.for('nestjs-livekit-webhooks:event-log-limits');

/** Hears of events that have just been committed by this process, in the order of the log. */
export type CommitListener = (events: readonly LoggedEvent[]) => void;

/**
 * The log of everything that was verified: appended once, kept whatever its name, read in order by those who build
 * on it. An append is acknowledged by its commit.
 */
@Injectable()
export class EventLog implements OnApplicationShutdown {
  private readonly logger = new Logger('EventLog');
  private readonly listeners = new Set<CommitListener>();
  private readonly queue: AppendQueue<NewEvent, AppendOutcome>;

  constructor(
    private readonly store: EventStore,
    @Optional() @Inject(EVENT_LOG_LIMITS) limits: AppendQueueLimits = APPEND_QUEUE_LIMITS,
  ) {
    this.queue = new AppendQueue(
      {
        commit: (batch) => this.commit(batch),
        isBusy: (error) => (error as { code?: string }).code === 'SQLITE_BUSY',
      },
      limits,
    );
  }

  /** Events waiting for their commit. */
  get depth(): number {
    return this.queue.depth;
  }

  /**
   * Appends an event; resolves once it is committed and synced to disk.
   *
   * @throws AppendQueueFullError, StoreUnavailableError: then it may have been stored, and a repeat is a duplicate.
   */
  append(event: NewEvent): Promise<AppendOutcome> {
    return this.queue.add(event, event.body.length);
  }

  /**
   * Keeps bytes that were signed rightly and yet can't be an event, for somebody to look at.
   *
   * @throws StoreUnavailableError when they can't be kept.
   */
  async quarantine(body: QuarantinedBody): Promise<void> {
    const { dialect } = this.store;
    try {
      await this.store.transaction((manager) => quarantine(dialect, manager, body), 'append');
    } catch (cause) {
      throw new StoreUnavailableError('failed', { cause });
    }
  }

  /** Calls `listener` with every batch that this process commits; returns what ends that. */
  onCommitted(listener: CommitListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.queue.close();
    await this.store.close();
  }

  private async commit(batch: NewEvent[]): Promise<AppendOutcome[]> {
    const { dialect } = this.store;
    const { outcomes, accepted } = await this.store.transaction(
      (manager) => appendBatch(dialect, manager, batch),
      'append',
    );
    if (accepted.length > 0) this.announce(accepted);
    return outcomes;
  }

  private announce(events: readonly LoggedEvent[]): void {
    for (const listener of this.listeners) {
      try {
        listener(events);
      } catch (error) {
        this.logger.error('a listener of committed events failed', error);
      }
    }
  }
}

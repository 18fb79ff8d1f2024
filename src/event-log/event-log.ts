import { Inject, Injectable, Logger, type OnApplicationShutdown, Optional } from '@nestjs/common';
import { EventStore } from '../database/event-store.js';
import { appendBatch } from './append-batch.js';
import { APPEND_QUEUE_LIMITS, AppendQueue, type AppendQueueLimits } from './append-queue.js';
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
  private readonly quarantineQueue: AppendQueue<QuarantinedBody, void>;

  constructor(
    private readonly store: EventStore,
    @Optional() @Inject(EVENT_LOG_LIMITS) limits: AppendQueueLimits = APPEND_QUEUE_LIMITS,
  ) {
    const isBusy = (error: unknown) => (error as { code?: string }).code === 'SQLITE_BUSY';
    this.queue = new AppendQueue({ commit: (batch) => this.commit(batch), isBusy }, limits);
    this.quarantineQueue = new AppendQueue(
      { commit: (batch) => this.commitQuarantine(batch), isBusy },
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
   * Keeps bytes that were signed rightly and yet can't be an event, for somebody to look at; resolves once they are committed.
   *
   * @throws AppendQueueFullError, StoreUnavailableError when they can't be kept.
   */
  quarantine(body: QuarantinedBody): Promise<void> {
    return this.quarantineQueue.add(body, body.raw.length);
  }

  /** Calls `listener` with every batch that this process commits; returns what ends that. */
  onCommitted(listener: CommitListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.queue.close(), this.quarantineQueue.close()]);
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

  private async commitQuarantine(batch: QuarantinedBody[]): Promise<void[]> {
    const { dialect } = this.store;
    return this.store.transaction(async (manager) => {
      for (const body of batch) await quarantine(dialect, manager, body);
      return batch.map(() => undefined);
    }, 'append');
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

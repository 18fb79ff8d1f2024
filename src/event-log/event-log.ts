import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { isBusy } from '../database/driver-code.js';
import { EventStore } from '../database/event-store.js';
import { acceptedOf, commitBatch, outcomesOf } from './append/append-batch.js';
import { AppendQueue, type AppendQueueLimits } from './append/append-queue.js';
import { type CommitListener, EventAppender } from './append/event-appender.js';
import { hostDraft, type HostEventOptions } from './append/host-draft.js';
import { conflictOf, quarantine } from './append/quarantine.js';
import { HostEventError } from './errors.js';
import type { AppendedEvents, AppendOutcome, NewEvent, QuarantinedBody } from './events.js';
import { Observers } from './observers.js';
import { Notifications } from './notifications.js';

/** Injection token of the limits of the queue in front of the store, `APPEND_QUEUE_LIMITS` by default. */
export const EVENT_LOG_LIMITS = Symbol.for('nestjs-livekit-webhooks:event-log-limits');

/**
 * The log of every verified event, and of those that hosts add: each is appended once, kept whatever its name, and
 * delivered to every handler subscribed to it. An append is acknowledged by its commit.
 */
@Injectable()
export class EventLog implements OnApplicationShutdown {
  private readonly queue: AppendQueue<NewEvent, AppendOutcome>;
  private readonly quarantineQueue: AppendQueue<QuarantinedBody, void>;
  private readonly appends = new Observers<(appended: AppendedEvents) => void>('appends');

  constructor(
    private readonly store: EventStore,
    private readonly events: EventAppender,
    private readonly notifications: Notifications,
    @Inject(EVENT_LOG_LIMITS) limits: AppendQueueLimits,
  ) {
    this.queue = new AppendQueue({ commit: (batch) => this.commit(batch), isBusy }, limits);
    this.quarantineQueue = new AppendQueue(
      { commit: (batch) => this.commitQuarantine(batch), isBusy },
      limits,
    );
  }

  /**
   * Events waiting for their commit.
   *
   * @internal
   */
  get depth(): number {
    return this.queue.depth;
  }

  /**
   * Appends an event of the host's, handled with `@OnAppEvent(name)`; resolves once it is committed and synced to disk.
   *
   * @param data anything JSON can hold.
   * @param options.id makes a repeat a duplicate.
   * @throws HostEventError; AppendQueueFullError, StoreUnavailableError: then it may have been stored, and a repeat with the
   * same `id` is a duplicate.
   */
  async append(name: string, data: unknown, options: HostEventOptions = {}): Promise<AppendOutcome> {
    return this.receive(this.events.toEvent(hostDraft(name, data, options)));
  }

  /**
   * Appends an event of the host's as part of a transaction of the host's (an outbox): it is appended if the transaction
   * is committed, and not if it is rolled back.
   *
   * @param manager of a transaction of the host's DataSource on the same PostgreSQL database, of
   * `EventStore.transaction(…)`, or of a transactional handler.
   * @throws HostEventError
   */
  async appendIn(
    manager: EntityManager,
    name: string,
    data: unknown,
    options: HostEventOptions = {},
  ): Promise<AppendOutcome> {
    this.requireTransaction(manager);
    const [outcome] = await this.events.append(manager, hostDraft(name, data, options));
    await this.notifications.notifyIn(manager);
    return outcome as AppendOutcome;
  }

  /**
   * Appends an event as it was received; resolves once it is committed and synced to disk or, if it conflicts with a
   * stored one, its bytes are in quarantine.
   *
   * @internal
   * @throws AppendQueueFullError, StoreUnavailableError: then it may have been stored, and a repeat is a duplicate.
   */
  async receive(event: NewEvent): Promise<AppendOutcome> {
    const outcome = await this.queue.add(event, event.body.length);
    if (outcome === 'conflict') await this.quarantine(conflictOf(event));
    return outcome;
  }

  /**
   * Keeps bytes that carry a valid signature and yet can't be an event, for inspection; resolves once they are committed.
   *
   * @internal
   * @throws AppendQueueFullError, StoreUnavailableError when they can't be kept.
   */
  quarantine(body: QuarantinedBody): Promise<void> {
    return this.quarantineQueue.add(body, body.raw.length);
  }

  /**
   * How many bodies are in quarantine, which is capped.
   *
   * @internal
   */
  async quarantinedCount(): Promise<number> {
    const [row] = await this.store.read((manager) =>
      manager.query<{ count: number | string }[]>('SELECT count(*) AS count FROM livekit_quarantine'),
    );
    return Number(row?.count);
  }

  /**
   * Calls `listener` with every batch that this process commits; returns a function that ends that.
   *
   * @internal
   */
  onCommitted(listener: CommitListener): () => void {
    return this.events.onCommitted(listener);
  }

  /**
   * Calls `listener` with every batch that this process has given to the store, committed or not; returns a function that
   * ends that. Events appended in a caller's transaction are not included.
   *
   * @internal
   */
  onAppended(listener: (appended: AppendedEvents) => void): () => void {
    return this.appends.add(listener);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.queue.close();
    await this.quarantineQueue.close(); // after it: an append may turn out to be a conflict
    await this.store.close();
  }

  private async commit(batch: NewEvent[]): Promise<AppendOutcome[]> {
    const started = performance.now();
    const tell = (outcomes: AppendOutcome[] | null) => {
      const appended = { events: batch, outcomes, milliseconds: performance.now() - started };
      this.appends.tell((listener) => listener(appended));
    };
    try {
      const seqs = await commitBatch(this.store, batch);
      // Before the others are looked up: if that fails, the whole batch is given to the store again, and none is new then.
      const accepted = acceptedOf(batch, seqs);
      if (accepted.length > 0) this.events.announce(accepted);
      const outcomes = await outcomesOf(this.store.dialect, batch, seqs, (look) => this.store.read(look));
      tell(outcomes);
      return outcomes;
    } catch (error) {
      tell(null);
      throw error;
    }
  }

  private async commitQuarantine(batch: QuarantinedBody[]): Promise<void[]> {
    const { dialect } = this.store;
    return this.store.write(async (manager) => {
      for (const body of batch) await quarantine(dialect, manager, body);
      return batch.map(() => undefined);
    }, 'append');
  }

  private requireTransaction(manager: EntityManager): void {
    if (this.store.dialect === 'sqlite' ? this.store.owns(manager) : manager.queryRunner?.isTransactionActive)
      return;
    throw new HostEventError(
      '`appendIn` was given a manager that is in no transaction it could be part of: ' +
        (this.store.dialect === 'sqlite'
          ? 'give the one that `EventStore.transaction(…)` or a transactional handler gets'
          : 'give the one that `dataSource.transaction(…)` gets') +
        ', or call `append`, which needs none',
    );
  }
}

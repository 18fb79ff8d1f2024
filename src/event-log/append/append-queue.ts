import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { AppendQueueFullError, StoreUnavailableError } from '../errors.js';

/** How much may wait in an append queue, and for how long. */
export interface AppendQueueLimits {
  /** Entries waiting in front of the store. */
  entries: number;
  /** Bytes waiting in front of the store. */
  bytes: number;
  /** How long an entry may take from its arrival to its commit, milliseconds. */
  patience: number;
  /** Entries in one commit. */
  batch: number;
  /** Bytes in one commit, unless it has a single entry. */
  batchBytes: number;
}

/** Sized for a sender that gives up after 15 s, and for a process of ordinary memory. */
export const APPEND_QUEUE_LIMITS: AppendQueueLimits = {
  entries: 10_000,
  bytes: 128 * 1024 * 1024,
  patience: 2_000,
  batch: 256,
  batchBytes: 4 * 1024 * 1024,
};

/** This many are taken at once, if there are as many, however small the last commit was. */
const FEW = 8;

interface Entry<T, R> {
  item: T;
  size: number;
  /** On the monotonic clock. */
  deadline: number;
  resolve(result: R): void;
  reject(error: Error): void;
}

/** What an append queue needs of its store. */
export interface BatchStore<T, R> {
  /** Commits a batch, all or nothing. */
  commit(batch: T[]): Promise<R[]>;
  /** Whether a commit that failed with this error may succeed if tried again in a moment. */
  isBusy(error: unknown): boolean;
}

/**
 * Group commit: one commit is in flight, and whatever arrives meanwhile is the batch of the next. So a lone event is not
 * kept waiting for company, and many share one write to the disk.
 *
 * While one half of many senders is being committed, the other half is answered and sends again. If chance made the halves
 * uneven, the event loop would wait for the larger one: so behind a commit, up to half of both together is taken. What
 * arrives when none is in flight is taken as a whole.
 */
export class AppendQueue<T, R> {
  private readonly waiting: Entry<T, R>[] = [];
  /** Entries that a caller still waits for, whether they wait for their commit or are in it, oldest first. */
  private readonly unsettled = new Set<Entry<T, R>>();
  private lateness: NodeJS.Timeout | undefined;
  private waitingBytes = 0;
  private flushing: Promise<void> | undefined;
  /** How many were taken last; 0 when none waited behind them. */
  private lastTaken = 0;
  private closed = false;

  constructor(
    private readonly store: BatchStore<T, R>,
    private readonly limits: AppendQueueLimits,
  ) {}

  /** Entries waiting for their commit. */
  get depth(): number {
    return this.waiting.length;
  }

  /**
   * Resolves once the item is committed.
   *
   * @throws AppendQueueFullError when too much waits already, StoreUnavailableError when the store fails or is slow.
   */
  add(item: T, size: number): Promise<R> {
    if (this.closed) return Promise.reject(new StoreUnavailableError('closed'));
    const { entries, bytes, patience } = this.limits;
    if (this.waiting.length >= entries || (this.waitingBytes > 0 && this.waitingBytes + size > bytes)) {
      return Promise.reject(new AppendQueueFullError());
    }
    return new Promise<R>((resolve, reject) => {
      const entry = { item, size, deadline: performance.now() + patience, resolve, reject };
      if (this.unsettled.size === 0) this.lateness = setTimeout(() => this.giveUpLate(), patience);
      this.unsettled.add(entry);
      this.waiting.push(entry);
      this.waitingBytes += size;
      this.flushing ??= this.flush();
    });
  }

  /** Accepts no more, and resolves when the waiting entries are committed or given up. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flushing;
  }

  private async flush(): Promise<void> {
    await nextTurn(); // everything that arrives in this turn of the event loop shares the commit
    while (this.waiting.length > 0) await this.commit(this.take());
    this.flushing = undefined;
    this.lastTaken = 0;
  }

  private take(): Entry<T, R>[] {
    const { batch, batchBytes } = this.limits;
    const half = Math.ceil((this.lastTaken + this.waiting.length) / 2);
    const most = this.lastTaken === 0 ? batch : Math.min(batch, Math.max(FEW, half));
    let count = 0;
    let bytes = 0;
    for (const { size } of this.waiting.slice(0, most)) {
      bytes += size;
      if (count > 0 && bytes > batchBytes) break;
      count += 1;
    }
    const taken = this.waiting.splice(0, count);
    this.lastTaken = count;
    for (const { size } of taken) this.waitingBytes -= size;
    return taken.filter((entry) => this.unsettled.has(entry)); // nobody waits for the others: their sender will retry
  }

  private async commit(batch: Entry<T, R>[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      const results = await this.store.commit(batch.map(({ item }) => item));
      for (const [index, entry] of batch.entries()) {
        entry.resolve(results[index] as R);
        this.settled(entry);
      }
    } catch (error) {
      if (this.store.isBusy(error)) {
        await delay(20);
        return this.commit(batch.filter((entry) => this.unsettled.has(entry)));
      }
      if (batch.length > 1) return this.commitOneByOne(batch);
      for (const entry of batch) {
        entry.reject(new StoreUnavailableError('failed', { cause: error }));
        this.settled(entry);
      }
    }
  }

  private settled(entry: Entry<T, R>): void {
    this.unsettled.delete(entry);
    if (this.unsettled.size === 0) clearTimeout(this.lateness);
  }

  // One timer for all: their patience is the same, so the oldest is the first to be given up.
  private giveUpLate(): void {
    for (const entry of this.unsettled) {
      const left = entry.deadline - performance.now();
      if (left > 0) {
        this.lateness = setTimeout(() => this.giveUpLate(), left);
        return;
      }
      entry.reject(new StoreUnavailableError('slow'));
      this.unsettled.delete(entry);
    }
  }

  // An entry that can't be stored must not fail the others of its batch.
  private async commitOneByOne(batch: Entry<T, R>[]): Promise<void> {
    for (const entry of batch) if (this.unsettled.has(entry)) await this.commit([entry]);
  }
}

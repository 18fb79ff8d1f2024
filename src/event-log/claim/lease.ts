import { ToldError } from '../../logging/told-error.js';

/** A lease was over before its delivery was begun: another process may run it by now. */
export class LeaseOverError extends ToldError {
  override readonly name = 'LeaseOverError';
}

/** Deliveries are no longer ours: their lease was over, and another claim may have run them. */
export class LeaseLostError extends ToldError {
  override readonly name = 'LeaseLostError';

  constructor(ids: readonly number[]) {
    super(
      `the lease of delivery ${ids.join(', ')} was lost before it was acknowledged: its transaction is rolled back, and another run counts. ` +
        'If the process was not held up, let the handler have a longer `lease`',
    );
  }
}

/** The lease under which a process holds a delivery that it has claimed. */
export class Lease {
  private readonly listeners = new Set<(reason: Error) => void>();
  private reason: Error | undefined;
  private end: number;

  /**
   * @param id of the delivery.
   * @param milliseconds how long it lasts.
   * @param asked when it was requested, by `performance.now()`: it was granted later, and so ends no sooner than we think.
   */
  constructor(
    private readonly id: number,
    private readonly milliseconds: number,
    asked: number,
  ) {
    this.end = asked + milliseconds;
  }

  /** Whether the delivery is given up. */
  get isGivenUp(): boolean {
    return this.reason !== undefined;
  }

  /** Calls `listener` when the delivery is given up, at once if it has been; returns a function that ends that. */
  onGivenUp(listener: (reason: Error) => void): () => void {
    if (this.reason !== undefined) listener(this.reason);
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Records that it was renewed. @param asked when that was requested. */
  renew(asked: number): void {
    this.end = asked + this.milliseconds;
  }

  /** Gives up the delivery: the lease was lost, or there is no more time for its run. */
  giveUp(reason: Error): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    for (const listener of this.listeners) listener(reason);
  }

  /**
   * Checks that the lease lasts: a process that was held up learns from the store only later that it has lost it.
   *
   * @throws LeaseOverError unless it lasts.
   */
  requireTime(): void {
    if (performance.now() > this.end)
      throw new LeaseOverError(`the lease of delivery ${this.id} is over before it was begun`);
  }
}

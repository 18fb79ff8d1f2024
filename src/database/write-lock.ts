/** Which of two queues a write waits in: appends go first, because a webhook's sender waits for them. */
export type WriteLane = 'append' | 'other';

/** Lets one write through at a time, in the order they came, every append before any other write. */
export class WriteLock {
  private readonly waiting: Record<WriteLane, Array<() => void>> = { append: [], other: [] };
  private held = false;

  /** Whether an append waits for its turn. */
  get isAppendWaiting(): boolean {
    return this.waiting.append.length > 0;
  }

  /** Runs `write` when it is its turn, and gives its result. */
  async run<T>(write: () => Promise<T>, lane: WriteLane = 'other'): Promise<T> {
    if (this.held) await new Promise<void>((resolve) => this.waiting[lane].push(resolve));
    this.held = true;
    try {
      return await write();
    } finally {
      const next = this.waiting.append.shift() ?? this.waiting.other.shift();
      // The lock passes straight to the next in line: were it let go first, a newcomer could slip in between.
      if (next) next();
      else this.held = false;
    }
  }
}

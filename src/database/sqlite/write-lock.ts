/** The queue that a write waits in: appends go first, because a webhook's sender waits for them. */
export type WriteLane = 'append' | 'other';

/** Milliseconds: under a load that leaves no time between appends, deliveries come later, many at once, and no webhook waits for them. */
const PATIENCE = 50;

interface Waiting {
  since: number;
  go(): void;
}

/** Lets one write through at a time, in the order of arrival, appends before any other write that has patience left. */
export class WriteLock {
  private readonly waiting: Record<WriteLane, Waiting[]> = { append: [], other: [] };
  private held = false;
  /** Runs while the lock is kept for the next append after one that has ended; then other writes get it. */
  private grace: NodeJS.Immediate | undefined;

  /** @param patience how long other writes wait for appends that keep coming, milliseconds. */
  constructor(private readonly patience = PATIENCE) {}

  /** Whether an append waits for its turn. */
  get isAppendWaiting(): boolean {
    return this.waiting.append.length > 0;
  }

  /** Runs `write` when it is its turn, and returns its result. */
  async run<T>(write: () => Promise<T>, lane: WriteLane = 'other'): Promise<T> {
    if (lane === 'append' && this.grace !== undefined) this.endGrace();
    else if (this.held) {
      await new Promise<void>((go) => this.waiting[lane].push({ since: performance.now(), go }));
    }
    this.held = true;
    try {
      return await write();
    } finally {
      this.passOn(lane);
    }
  }

  // The lock passes straight to the next in line: were it let go first, a newcomer could slip in between.
  private passOn(from: WriteLane): void {
    const { append, other } = this.waiting;
    const [first] = other;
    if (from === 'append' && first !== undefined) {
      if (performance.now() - first.since > this.patience) return this.letThrough(other);
      if (append.length === 0) {
        // The queue in front learns of this append's end only after us, and may have the next one ready.
        this.grace = setImmediate(() => {
          this.endGrace();
          this.letThrough(other);
        });
        return;
      }
    }
    this.letThrough(append.length > 0 ? append : other);
  }

  private letThrough(lane: Waiting[]): void {
    const next = lane.shift();
    if (next === undefined) this.held = false;
    else next.go();
  }

  private endGrace(): void {
    clearImmediate(this.grace);
    this.grace = undefined;
  }
}

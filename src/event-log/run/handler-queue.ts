import type { ClaimedDelivery } from '../claim/claims.js';
import type { Handler } from '../handlers/handler.js';

/** Work that is fetched ahead for a quick handler, milliseconds: what is claimed here is kept from other replicas. */
const AHEAD = 100;

/** The most deliveries that are fetched at once. */
const MOST = 256;

/** The most deliveries of a handler in one claim: on SQLite webhooks wait behind it. */
const MOST_IN_CLAIM = 1_000;

/** The deliveries of one handler that this process has claimed: which of them may run now, and how many more to claim. */
export class HandlerQueue {
  private readonly waiting: ClaimedDelivery[] = [];
  private readonly rooms = new Set<string>();
  private running = 0;
  private meanRun = AHEAD;

  constructor(readonly handler: Handler) {}

  /** How many more deliveries to claim now. */
  get demand(): number {
    const { concurrency, ordered } = this.handler;
    const batch = this.handler.batch ?? 1;
    if (ordered) {
      // What waits may all be of one room that already runs: then rooms are short, not deliveries.
      const rooms = new Set(this.waiting.map(({ id, orderKey }) => orderKey ?? id));
      for (const room of this.rooms) rooms.add(room);
      return rooms.size < concurrency && this.waiting.length < concurrency * MOST ? Math.max(batch, 64) : 0;
    }
    const runs = Math.max(1, Math.min(32, AHEAD / this.meanRun));
    const wanted = Math.min(Math.ceil(concurrency * batch * runs), Math.max(MOST, concurrency * batch));
    return this.waiting.length <= wanted / 2 ? Math.min(wanted - this.waiting.length, MOST_IN_CLAIM) : 0;
  }

  /** Takes in a claimed delivery, in the order of the claim. */
  add(delivery: ClaimedDelivery): void {
    this.waiting.push(delivery);
  }

  /** Begins the next run and returns its deliveries; undefined when none may begin now. */
  next(): ClaimedDelivery[] | undefined {
    if (this.running >= this.handler.concurrency) return undefined;
    const first = this.waiting.findIndex(({ orderKey }) => orderKey === null || !this.rooms.has(orderKey));
    if (first < 0) return undefined;
    const run = this.take(first);
    const room = run[0]?.orderKey ?? null;
    if (room !== null) this.rooms.add(room);
    this.running++;
    return run;
  }

  /**
   * To be called when a run has ended.
   *
   * @param isRoomHeld whether the room of these deliveries must wait now.
   * @returns the waiting deliveries of that room, if it must wait: they must be released.
   */
  ended(run: readonly ClaimedDelivery[], milliseconds: number, isRoomHeld: boolean): ClaimedDelivery[] {
    this.running--;
    this.meanRun += (Math.max(milliseconds, 0.1) - this.meanRun) / 8;
    const room = run[0]?.orderKey ?? null;
    if (room === null) return [];
    this.rooms.delete(room);
    return isRoomHeld ? this.remove(({ orderKey }) => orderKey === room) : [];
  }

  /** Whether more of an ended run's room waits here, or runs by now: then that room is not free. */
  hasMoreOf(run: readonly ClaimedDelivery[]): boolean {
    const room = run[0]?.orderKey ?? null;
    if (room === null) return false;
    return this.rooms.has(room) || this.waiting.some(({ orderKey }) => orderKey === room);
  }

  /** Takes out everything that has not begun. */
  clear(): ClaimedDelivery[] {
    return this.waiting.splice(0);
  }

  // A delivery that failed before runs alone: it may have made its batch fail.
  private take(first: number): ClaimedDelivery[] {
    const { batch, ordered } = this.handler;
    const [head] = this.waiting.splice(first, 1) as [ClaimedDelivery];
    const run = [head];
    if (batch === null || head.attempt > 1) return run;
    for (let at = first; run.length < batch && at < this.waiting.length;) {
      const candidate = this.waiting[at] as ClaimedDelivery;
      const fits = !ordered || candidate.orderKey === head.orderKey;
      if (fits && candidate.attempt === 1) run.push(...this.waiting.splice(at, 1));
      else if (fits && ordered)
        break; // no delivery overtakes another in a room
      else at++;
    }
    return run;
  }

  private remove(isIt: (delivery: ClaimedDelivery) => boolean): ClaimedDelivery[] {
    const removed = this.waiting.filter(isIt);
    if (removed.length > 0)
      this.waiting.splice(0, this.waiting.length, ...this.waiting.filter((one) => !isIt(one)));
    return removed;
  }
}

import type { ClaimedDelivery, Demand } from '../claim/claims.js';
import type { Turn, TurnOutcome } from './delivery-turns.js';

/**
 * The shortest time between two routings of what this process appends, milliseconds: a turn for each of many small commits
 * would take as long as the webhooks themselves, and hardly any durable work is urgent.
 */
const ROUTING_SPACING = 40;

/** What a runner is to look for in its next turn, because there may be some. */
export class Agenda {
  private readonly due = new Set<string>();
  private isUnrouted = true;
  private isBackfillable = true;
  /** A handler waits for more of its backfill, perhaps until it has less to do. */
  private isBackfilling = false;
  private routedAt = -Infinity;
  private routeSoon: NodeJS.Timeout | undefined;
  private count = 0;

  /** @param onEntry is called at every entry, which is to be looked for at once. */
  constructor(private readonly onEntry: () => void) {}

  /** How many entries there have been: while it stays the same, nothing has come. */
  get entries(): number {
    return this.count;
  }

  /** Handlers that may have something due. */
  get mayBeDue(): ReadonlySet<string> {
    return this.due;
  }

  /** Whether there may be events to give to handlers, new or old. */
  get mayBeUnrouted(): boolean {
    return this.isUnrouted || this.isBackfillable;
  }

  /** Whether there may be old ones to give. */
  get mayBeBackfillable(): boolean {
    return this.isBackfillable;
  }

  /** Anything may have come, for any of these handlers. */
  enterAll(handlers: Iterable<string>): void {
    this.isUnrouted = true;
    this.isBackfillable = true;
    for (const handler of handlers) this.due.add(handler);
    this.enter();
  }

  /** A handler may have something due. */
  enterDue(handler: string): void {
    this.due.add(handler);
    this.enter();
  }

  /** This process has appended something. @param isAwaited whether somebody waits until all of it is done. */
  enterAppended(isAwaited: boolean): void {
    const early = this.routedAt + ROUTING_SPACING - performance.now();
    if (early <= 0 || isAwaited) return this.enterUnrouted();
    this.routeSoon ??= setTimeout(() => this.enterUnrouted(), early);
  }

  /** A run has ended. @param mayHaveMore whether its handler may have something due that could not be claimed before. */
  enterEnded(handler: string, mayHaveMore: boolean): void {
    if (mayHaveMore) this.due.add(handler);
    if (this.isBackfilling) this.isBackfillable = true;
    this.enter();
  }

  /** A turn looks for all entries, but due deliveries only of the demands; what is entered from now on came meanwhile. */
  begin(demands: readonly Demand[]): void {
    this.isUnrouted = false;
    this.isBackfillable = false;
    for (const { handler } of demands) this.due.delete(handler.name);
  }

  /** Enters what the next turn may find after this one. */
  enterAfter({ routing, backfilling }: Turn, { routed, asked, claimed }: TurnOutcome): void {
    if (routing) this.routedAt = performance.now();
    if (routed === null || routed.isFull) {
      this.isUnrouted = true;
      this.isBackfillable ||= backfilling; // what is old had no turn
    }
    if (routed?.backfilled != null) {
      this.isBackfillable = routed.backfilled.handler !== null;
      this.isBackfilling = !routed.backfilled.isOver;
    }
    const waiting = new Set(asked.filter((demand) => leavesBusyRooms(demand, claimed)).map(nameOf));
    for (const name of [...(routed?.handlers ?? []), ...claimed.map(nameOf)])
      if (!waiting.has(name)) this.due.add(name); // a handler that got any may have more
  }

  /** Cancels the entry that is still delayed, if any. */
  close(): void {
    clearTimeout(this.routeSoon);
  }

  private enterUnrouted(): void {
    clearTimeout(this.routeSoon);
    this.routeSoon = undefined;
    this.isUnrouted = true;
    this.enter();
  }

  private enter(): void {
    this.count++;
    this.onEntry();
  }
}

const nameOf = ({ handler }: Demand | ClaimedDelivery): string => handler.name;

/**
 * Whether all due deliveries that were not claimed wait for rooms that run. There may be very many, and every claim would
 * go through them in vain: none is made until a room is free, or something else has come.
 */
const leavesBusyRooms = ({ handler, limit }: Demand, claimed: readonly ClaimedDelivery[]): boolean =>
  handler.ordered && claimed.filter((delivery) => delivery.handler === handler).length < limit;

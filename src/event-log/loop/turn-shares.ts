import type { Demand } from '../claim/claims.js';

/** The most deliveries claimed in one turn: few enough that webhooks, which share the process, hardly notice. */
const MOST_A_TURN = 1_024;

/** After so many halvings a handler claims one delivery in a turn. */
const MOST_HALVINGS = Math.log2(MOST_A_TURN);

/** Shares a turn equally among the handlers that have room for deliveries; after one that failed, there is less to share. */
export class TurnShares {
  /** How often shares are halved: what failed may have been too much for the store to read in its time. */
  private halvings = 0;

  /** What each handler may claim in a turn: its share or a whole batch, and no more than it wants. */
  of(wanted: readonly Demand[]): Demand[] {
    const share = Math.ceil(MOST_A_TURN / wanted.length);
    return wanted.map(({ handler, limit }) => ({
      handler,
      limit: Math.ceil(Math.min(limit, Math.max(share, handler.batch ?? 1)) / 2 ** this.halvings),
    }));
  }

  /** To be called when a turn has failed. */
  shrink(): void {
    this.halvings = Math.min(this.halvings + 1, MOST_HALVINGS);
  }

  /** To be called when a turn has succeeded. */
  grow(): void {
    this.halvings = Math.max(0, this.halvings - 1);
  }
}

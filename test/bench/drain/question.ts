import type { DeliveryEngineOptions, HandlerOptions } from '../../../dist/index.js';

/** How many to store first, and then to run: the answer is the milliseconds that the latter took. */
export interface DrainQuestion {
  count: number;
}

/** What of ours is to drain it. */
export interface DrainShape {
  handler?: HandlerOptions;
  /** How long the handler waits for others, milliseconds. */
  waits?: number;
  engine?: DeliveryEngineOptions;
}

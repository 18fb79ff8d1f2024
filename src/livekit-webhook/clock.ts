/** Tells the time; replaced where deliveries of another day are played. */
export interface Clock {
  /** UTC milliseconds. */
  now(): number;
}

/** Where the clock is injected from. */
export const CLOCK = Symbol.for('nestjs-livekit-webhooks:clock');

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() };

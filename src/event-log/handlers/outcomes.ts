/** Thrown by a handler to end a delivery for good, without a retry: this event needs nothing done. */
export class DiscardDelivery extends Error {
  override readonly name = 'DiscardDelivery';

  constructor(readonly reason: string) {
    super(reason);
  }
}

/** Thrown by a handler to make a delivery a dead letter at once: no retry would help, and somebody must know of it. */
export class FailDelivery extends Error {
  override readonly name = 'FailDelivery';

  constructor(
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(reason, options);
  }
}

/** Thrown by a handler to set the time of the next attempt itself, instead of the backoff. The attempt counts. */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter';

  /** @param milliseconds from now. */
  constructor(
    readonly milliseconds: number,
    message = `asked to be tried again in ${milliseconds} ms`,
  ) {
    super(message);
  }
}

/** Thrown by a handler to end a delivery for good, without a retry: there is nothing to be done about this event. */
export class DiscardDelivery extends Error {
  override readonly name = 'DiscardDelivery';

  constructor(readonly reason: string) {
    super(reason);
  }
}

/** Thrown by a handler to give a delivery up at once, as a dead letter: no retry would help, and somebody must know of it. */
export class FailDelivery extends Error {
  override readonly name = 'FailDelivery';

  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(reason, options);
  }
}

/** Thrown by a handler to say when to try again, instead of the backoff. It counts as an attempt. */
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

import { ToldError } from '../logging/told-error.js';

/** The store failed, or was too slow to say whether it succeeded; the event may have been stored. */
export class StoreUnavailableError extends ToldError {
  override readonly name = 'StoreUnavailableError';

  constructor(
    readonly reason: 'failed' | 'slow' | 'closed',
    options?: { cause?: unknown },
  ) {
    super(
      `the event store ${reason === 'failed' ? 'failed' : reason === 'slow' ? 'did not answer in time' : 'is closed'}`,
      options,
    );
  }
}

/** More events are waiting for the store than the queue in front of it may hold. */
export class AppendQueueFullError extends ToldError {
  override readonly name = 'AppendQueueFullError';

  constructor() {
    super('the queue in front of the event store is full');
  }
}

/** An event of the host's can't be appended like this; the message names the cure. */
export class HostEventError extends Error {
  override readonly name = 'HostEventError';
}

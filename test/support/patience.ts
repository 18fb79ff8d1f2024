import { APPEND_QUEUE_LIMITS, type AppendQueueLimits } from '../../src/event-log/append/append-queue.js';

/** Lets appends wait as long as a busy machine may need to commit; tests of their time-out set a `patience` of their own. */
export const PATIENT: AppendQueueLimits = { ...APPEND_QUEUE_LIMITS, patience: 20_000 };

import { APPEND_QUEUE_LIMITS, type AppendQueueLimits } from '../../src/event-log/append/append-queue.js';

/** Appends wait for a commit as long as a busy machine may take for it: whoever tests that they are given up tells a patience. */
export const PATIENT: AppendQueueLimits = { ...APPEND_QUEUE_LIMITS, patience: 20_000 };

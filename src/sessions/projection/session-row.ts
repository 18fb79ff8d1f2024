import type { DispositionSource, SessionState, UnmatchedCause } from '../session.js';

/** What is stored of a session besides its facts: what the backend says about it, and its state. */
export interface SessionRow {
  sessionId: string | null;
  state: SessionState;
  disposition: string | null;
  dispositionSource: DispositionSource | null;
  metadata: Record<string, unknown>;
  unmatched: UnmatchedCause | null;
  /** Why its id is not asked for again: an expectation gave it, or the host made it of what has been erased since. */
  idKept: 'matched' | 'erased' | null;
  /** When its grace period is over, and it may settle at the earliest, UTC milliseconds; `null` until it has ended. */
  settlesAt: number | null;
  revision: number;
}

/** The longest disposition, in characters: longer ones can't be indexed. */
export const LONGEST_DISPOSITION = 128;

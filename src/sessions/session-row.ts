import type { DispositionSource, SessionState, UnmatchedCause } from './session.js';

/** What is kept of a session beside its facts: what the backend says of it, and how far it has come. */
export interface SessionRow {
  sessionId: string | null;
  state: SessionState;
  disposition: string | null;
  dispositionSource: DispositionSource | null;
  metadata: Record<string, unknown>;
  unmatched: UnmatchedCause | null;
  /** The earliest moment it may settle, UTC milliseconds: the grace is over then. `null` until it has ended. */
  settlesAt: number | null;
  revision: number;
}

/** Dispositions are words, in characters: longer ones can't be indexed. */
export const LONGEST_DISPOSITION = 128;

import { Injectable } from '@nestjs/common';
import { Observers } from '../../event-log/observers.js';
import type { ReconciledEventName } from '../../livekit-webhook/livekit-events.js';

/** Every outcome of a round. */
export const RECONCILIATION_OUTCOMES = ['done', 'incomplete', 'failed', 'held_up', 'store_failed'] as const;

/**
 * How a round went: `done`: no call about a room failed; `incomplete`: some did; `failed`: LiveKit did not list its rooms;
 * `held_up`: this process was held up for so long that the answers were discarded; `store_failed`: the store failed.
 */
export type ReconciliationOutcome = (typeof RECONCILIATION_OUTCOMES)[number];

/** An event that webhooks have missed, and that was appended. */
export interface AddedEvent {
  name: ReconciledEventName;
  /** Its id in the log. */
  id: string;
  roomSid: string;
}

/** One round: LiveKit was asked, and what webhooks have missed was added. */
export interface ReconciliationRound {
  project: string;
  outcome: ReconciliationOutcome;
  added: AddedEvent[];
  /** Egresses that have not ended as far as we know, but that LiveKit no longer knows: each is reported once. */
  lostEgresses: string[];
}

/** Receives every round that this process does. */
export type ReconciliationObserver = (round: ReconciliationRound) => void;

/** Passes every round to its observers (the metrics). */
@Injectable()
export class Reconciliations {
  private readonly observers = new Observers<ReconciliationObserver>('reconciliation');

  /** Adds an observer; returns a function that removes it. */
  observe(observer: ReconciliationObserver): () => void {
    return this.observers.add(observer);
  }

  /** To be called once for every round. */
  record(round: ReconciliationRound): void {
    this.observers.tell((observer) => observer(round));
  }
}

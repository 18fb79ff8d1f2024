import { Injectable } from '@nestjs/common';
import { Observers } from '../../event-log/observers.js';
import type { ReconciledEventName } from '../../livekit-webhook/livekit-events.js';

/** Every way that a round may go. */
export const RECONCILIATION_OUTCOMES = ['done', 'incomplete', 'failed', 'held_up', 'store_failed'] as const;

/**
 * How a round went: `done`: every room that was to be asked was; `incomplete`: LiveKit failed some of it; `failed`: it
 * did not say which rooms there are; `held_up`: this process was, for so long that the answers were thrown away;
 * `store_failed`: the store did.
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
  /** Egresses that have not ended, for all we know, and that LiveKit does not know any more, each once. */
  lostEgresses: string[];
}

/** Hears of every round that this process does. */
export type ReconciliationObserver = (round: ReconciliationRound) => void;

/** Tells its observers (the metrics) of every round. */
@Injectable()
export class Reconciliations {
  private readonly observers = new Observers<ReconciliationObserver>('reconciliation');

  /** Adds an observer; returns what takes it away again. */
  observe(observer: ReconciliationObserver): () => void {
    return this.observers.add(observer);
  }

  /** To be called once for every round. */
  record(round: ReconciliationRound): void {
    this.observers.tell((observer) => observer(round));
  }
}

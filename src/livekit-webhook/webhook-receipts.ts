import { Injectable } from '@nestjs/common';
import { Observers } from '../event-log/observers.js';
import { within } from '../tracing/spans.js';
import type { WebhookDelivery } from './raw-body/delivery.js';

/** The outcome of a request to a webhook path. */
export type WebhookOutcome =
  | 'accepted'
  | 'unsubscribed'
  | 'unknown'
  | 'duplicate'
  | 'conflict'
  | 'too_old'
  | 'invalid'
  | 'unauthorized'
  | 'method_not_allowed'
  | 'too_large'
  | 'unsupported_encoding'
  | 'unfinished'
  | 'unread'
  | 'cut_off'
  | 'store_failed'
  | 'store_slow'
  | 'store_closed'
  | 'queue_full'
  | 'host_refused'
  | 'host_answered'
  | 'failed';

/** The outcomes that we answer: not a connection that was cut, nor what the host has answered. */
export type AnsweredOutcome = Exclude<WebhookOutcome, 'cut_off' | 'host_answered'>;

/** One request to a webhook path, answered. */
export interface WebhookReceipt {
  delivery: WebhookDelivery;
  outcome: WebhookOutcome;
  /** The HTTP status of the answer; `null` when the sender was no longer there to be answered. */
  status: number | null;
  /** Why a signature was refused, in a word. */
  reason?: string;
  /** Why, in a sentence that names the cure, for the log. */
  detail?: string;
}

/** A receipt with the time that the answer took. */
export interface TimedWebhookReceipt extends WebhookReceipt {
  /** From the request's head to its answer. */
  milliseconds: number;
}

/** Receives every request to a webhook path, within the request: it must be quick, and can't change the answer. */
export type WebhookObserver = (receipt: TimedWebhookReceipt) => void;

/** Notifies its observers (the log line, the metrics) of every request to a webhook path. */
@Injectable()
export class WebhookReceipts {
  private readonly observers = new Observers<WebhookObserver>('webhook deliveries');

  /** Adds an observer; returns a function that removes it. */
  observe(observer: WebhookObserver): () => void {
    return this.observers.add(observer);
  }

  /** To be called once for every request, when it is answered. */
  record(receipt: WebhookReceipt): void {
    receipt.delivery.recorded = true;
    const timed = { ...receipt, milliseconds: performance.now() - receipt.delivery.startedAt };
    const { span } = receipt.delivery;
    const tell = () => this.observers.tell((observer) => observer(timed));
    if (span?.isRecording() === true) within(span, tell);
    else tell();
  }
}

import { Injectable } from '@nestjs/common';
import { Observers } from '../event-log/observers.js';
import { within } from '../tracing/spans.js';
import type { WebhookDelivery } from './raw-body/delivery.js';

/** What became of a request to a webhook path. */
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

/** The outcomes that have an answer of ours: whoever cut the connection gets none. */
export type AnsweredOutcome = Exclude<WebhookOutcome, 'cut_off' | 'host_answered'>;

/** One request to a webhook path, answered. */
export interface WebhookReceipt {
  delivery: WebhookDelivery;
  outcome: WebhookOutcome;
  /** The HTTP status of the answer; `null` when nobody was there any more to be answered. */
  status: number | null;
  /** Why, in a word: a signature's failure. */
  reason?: string;
  /** Why, in a sentence that names the cure, for whoever reads the log. */
  detail?: string;
}

/** A receipt with how long the answer took. */
export interface TimedWebhookReceipt extends WebhookReceipt {
  /** From the request's head to its answer. */
  milliseconds: number;
}

/** Hears of every request to a webhook path, in the request: it must be quick, and can't change the answer. */
export type WebhookObserver = (receipt: TimedWebhookReceipt) => void;

/** Tells its observers (the log line, the metrics) of every request to a webhook path. */
@Injectable()
export class WebhookReceipts {
  private readonly observers = new Observers<WebhookObserver>('webhook deliveries');

  /** Adds an observer; returns what takes it away again. */
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

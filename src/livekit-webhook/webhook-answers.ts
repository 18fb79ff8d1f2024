import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import type { WebhookDelivery } from './raw-body/delivery.js';
import { type AnsweredOutcome, type WebhookReceipt, WebhookReceipts } from './webhook-receipts.js';

interface Answer {
  status: number;
  /** The word in the body; it gives the sender no reason. */
  body: string;
  headers?: Record<string, string>;
}

// LiveKit tries five times, by default 1, 2, 4 and 8 s apart: seven seconds each time make 28 s, just
// under the 30 s after which it drops what is queued (`livekit/protocol webhook/resource_url_notifier.go`).
const STORE_DOWN: Answer = { status: 503, body: 'unavailable', headers: { 'Retry-After': '7' } };
const BUSY: Answer = { status: 503, body: 'unavailable' };
const ACCEPTED: Answer = { status: 200, body: 'accepted' };

/** The contract's HTTP table. LiveKit never retries a 4xx, and retries a 5xx for 15 s. */
const ANSWERS: Record<AnsweredOutcome, Answer> = {
  accepted: ACCEPTED,
  unsubscribed: ACCEPTED,
  unknown: ACCEPTED,
  duplicate: { status: 200, body: 'duplicate' },
  conflict: { status: 200, body: 'duplicate' },
  too_old: { status: 200, body: 'too_old' },
  invalid: { status: 400, body: 'invalid' },
  unauthorized: { status: 401, body: 'unauthorized' },
  method_not_allowed: { status: 405, body: 'method_not_allowed', headers: { Allow: 'POST' } },
  too_large: { status: 413, body: 'too_large' },
  unsupported_encoding: { status: 415, body: 'unsupported_encoding' },
  unfinished: { status: 503, body: 'unfinished', headers: { Connection: 'close' } },
  unread: STORE_DOWN,
  store_failed: STORE_DOWN,
  store_slow: STORE_DOWN,
  store_closed: STORE_DOWN,
  queue_full: BUSY,
  host_refused: STORE_DOWN,
  failed: STORE_DOWN,
};

/** Milliseconds: LiveKit waits for ever, and its room's queue with it; whatever we wait for times out well before this. */
const LONGEST_WAIT = 5_000;

/** Answers deliveries by the contract's table, on either adapter, and records the answers. */
@Injectable()
export class WebhookAnswers implements OnModuleDestroy {
  private stopping = false;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly receipts: WebhookReceipts,
  ) {}

  // LiveKit keeps its connections alive: one left open now would keep the server from closing.
  onModuleDestroy(): void {
    this.stopping = true;
  }

  /** Ensures an answer in time: Nest sends none when a host's interceptor keeps the request from its controller. */
  answerInTime(response: unknown, delivery: WebhookDelivery): void {
    const detail =
      'a global interceptor of the host kept the request from its controller: have it pass webhooks on (`next.handle()`)';
    delivery.overdue = setTimeout(
      () => this.send(response, delivery, { outcome: 'host_refused', detail }),
      LONGEST_WAIT,
    );
  }

  /** Answers, unless an answer has been sent: a host's interceptor may fail after ours. */
  send(
    response: unknown,
    delivery: WebhookDelivery,
    { outcome, ...why }: Pick<WebhookReceipt, 'reason' | 'detail'> & { outcome: AnsweredOutcome },
  ): void {
    clearTimeout(delivery.overdue);
    const adapter = this.adapterHost.httpAdapter;
    if (adapter.isHeadersSent(response)) return;
    const { status, body, headers } = ANSWERS[outcome];
    this.write(response, status, `{"status":"${body}"}`, {
      'Content-Type': 'application/json; charset=utf-8',
      ...headers,
      ...(this.stopping && { Connection: 'close' }),
    });
    this.receipts.record({ delivery, outcome, status, ...why });
  }

  private write(response: unknown, status: number, text: string, headers: Record<string, string>): void {
    const adapter = this.adapterHost.httpAdapter;
    if (adapter.getType() === 'express') {
      // Express itself would hash every answer for an ETag: a tenth of the cost of a delivery.
      (response as ServerResponse)
        .writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(text) })
        .end(text);
      return;
    }
    for (const name of Object.keys(headers)) adapter.setHeader(response, name, headers[name] as string);
    adapter.reply(response, text, status);
  }
}

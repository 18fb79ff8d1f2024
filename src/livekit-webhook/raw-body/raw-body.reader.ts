import { Inject, Injectable } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CLOCK, type Clock } from '../../event-log/clock.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from '../settings.js';
import { traceparentOf } from '../../tracing/trace-context.js';
import { startReceipt } from '../receipt-spans.js';
import { WebhookReceipts } from '../webhook-receipts.js';
import { attachDelivery, deliveryOf, type WebhookDelivery } from './delivery.js';
import { readBody } from './read-body.js';

/** Reads a delivery's raw body before any parser of the host, on either adapter. */
@Injectable()
export class RawBodyReader {
  private turn: Promise<void> | undefined;

  constructor(
    @Inject(WEBHOOK_SETTINGS) private readonly settings: WebhookSettings,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly receipts: WebhookReceipts,
  ) {}

  /**
   * Reads the body and binds the delivery to the request.
   *
   * @param path the route's path, as the options name it.
   * @returns whether the sender is still there to be answered.
   */
  async read(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
    if (deliveryOf(request) !== undefined) return true;
    const span = startReceipt(request, path);
    const delivery = attachDelivery(request, {
      path,
      receivedAt: this.clock.now(),
      startedAt: performance.now(),
      guarded: false,
      recorded: false,
      span,
      traceparent: traceparentOf(span),
    });
    response.once('close', () => this.recordAnswerOfHost(delivery, response));
    const reading = await readBody(request, this.settings);
    if (reading === 'cut_off') {
      this.receipts.record({ delivery, outcome: 'cut_off', status: null });
      return false;
    }
    Object.assign(delivery, reading);
    await this.endOfTurn();
    return true;
  }

  // The host's middleware between this reader and our guard (a rate limit, an address list) may answer without telling us.
  private recordAnswerOfHost(delivery: WebhookDelivery, { headersSent, statusCode }: ServerResponse): void {
    if (delivery.recorded || !headersSent) return;
    const outcome = delivery.problem ?? 'host_answered';
    const detail =
      `middleware or an interceptor of the host answered ${statusCode} in our place` +
      `${isSentAgain(statusCode) ? '' : ', and LiveKit does not send that event again'}: have it pass webhooks on`;
    this.receipts.record({
      delivery,
      outcome,
      status: statusCode,
      ...(outcome === 'host_answered' && { detail }),
    });
  }

  // Deliveries that arrive in one turn of the event loop proceed together, each step run for all before the next one:
  // run delivery by delivery, every step would find the processor's caches full of another step's code.
  private endOfTurn(): Promise<void> {
    return (this.turn ??= nextTurn().then(() => (this.turn = undefined)));
  }
}

// What LiveKit's HTTP client retries (`hashicorp/go-retryablehttp`, DefaultRetryPolicy), and the redirects that Go's own
// follows with the same method.
const isSentAgain = (status: number): boolean =>
  (status >= 500 && status !== 501) || [307, 308, 429].includes(status);

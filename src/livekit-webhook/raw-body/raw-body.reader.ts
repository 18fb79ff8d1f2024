import { Inject, Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CLOCK, type Clock } from '../../event-log/clock.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from '../settings.js';
import { traceparentOf } from '../../tracing/trace-context.js';
import { startReceipt } from '../receipt-spans.js';
import { WebhookReceipts } from '../webhook-receipts.js';
import { attachDelivery, deliveryOf } from './delivery.js';
import { readBody } from './read-body.js';

/** Reads a delivery's raw body ahead of every parser of the host's, on either adapter. */
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
   * @returns whether there is still somebody to answer.
   */
  async read(request: IncomingMessage, path: string): Promise<boolean> {
    if (deliveryOf(request) !== undefined) return true;
    const span = startReceipt(request, path);
    const delivery = attachDelivery(request, {
      path,
      receivedAt: this.clock.now(),
      startedAt: performance.now(),
      guarded: false,
      span,
      traceparent: traceparentOf(span),
    });
    const reading = await readBody(request, this.settings);
    if (reading === 'cut_off') {
      this.receipts.record({ delivery, outcome: 'cut_off', status: null });
      return false;
    }
    Object.assign(delivery, reading);
    await this.endOfTurn();
    return true;
  }

  // What comes in one turn of the event loop goes on together, each step taken for all before the next one: where the steps of
  // one delivery follow each other, the processor's caches are always full of another one's code.
  private endOfTurn(): Promise<void> {
    return (this.turn ??= nextTurn().then(() => (this.turn = undefined)));
  }
}

import { Inject, Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { CLOCK, type Clock } from '../clock.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from '../settings.js';
import { WebhookReceipts } from '../webhook-receipts.js';
import { attachDelivery, deliveryOf } from './delivery.js';
import { readBody } from './read-body.js';

/** Reads a delivery's raw body ahead of every parser of the host's, on either adapter. */
@Injectable()
export class RawBodyReader {
  constructor(
    @Inject(WEBHOOK_SETTINGS) private readonly settings: WebhookSettings,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly receipts: WebhookReceipts,
  ) {}

  /**
   * Reads the body and binds the delivery to the request.
   *
   * @param url the route's path with the host's prefix.
   * @returns whether there is still somebody to answer.
   */
  async read(request: IncomingMessage, url: string): Promise<boolean> {
    if (deliveryOf(request) !== undefined) return true;
    const delivery = attachDelivery(request, {
      path: this.pathOf(url),
      receivedAt: this.clock.now(),
      startedAt: performance.now(),
      guarded: false,
    });
    const reading = await readBody(request, this.settings);
    if (reading === 'cut_off') {
      this.receipts.record({ delivery, outcome: 'cut_off', status: null });
      return false;
    }
    Object.assign(delivery, reading);
    return true;
  }

  // The host's prefix stands in front of our path, and nothing behind it.
  private pathOf(url: string): string {
    const paths = [...this.settings.keysByPath.keys()].filter((path) => url.endsWith(path));
    return paths.sort((a, b) => b.length - a.length)[0] ?? url;
  }
}

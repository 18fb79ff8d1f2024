import { Injectable } from '@nestjs/common';
import { EventLog } from '../event-log/event-log.js';
import { plainText, plainTextOrNull } from '../database/plain-text.js';
import type { WebhookEventDto } from './dto/webhook-event.dto.js';
import type { WebhookDelivery } from './raw-body/delivery.js';
import { Subscriptions } from './subscriptions.js';
import { inAppendSpan } from './receipt-spans.js';
import type { AnsweredOutcome } from './webhook-receipts.js';

/** Hands verified deliveries to the event log. */
@Injectable()
export class WebhookIntake {
  constructor(
    private readonly log: EventLog,
    private readonly subscriptions: Subscriptions,
  ) {}

  /**
   * Appends an event; resolves once it is committed.
   *
   * @throws AppendQueueFullError, StoreUnavailableError
   */
  async take(event: WebhookEventDto, delivery: WebhookDelivery): Promise<AnsweredOutcome> {
    const { body = Buffer.alloc(0), bodySha256 = '', project = 'default', receivedAt } = delivery;
    const occurredAt = event.occurredAt ?? receivedAt;
    const eventId = event.id === undefined ? `sha256:${bodySha256}` : plainText(event.id);
    const name = plainText(event.event);
    const roomName = plainTextOrNull(event.room?.name);
    delivery.event = { name, id: eventId, occurredAt, roomName };
    const outcome = await inAppendSpan(delivery, (traceparent) =>
      this.log.receive({
        source: project,
        eventId,
        kind: 'livekit',
        name,
        roomSid: plainTextOrNull(event.room?.sid),
        roomName,
        occurredAt,
        receivedAt,
        bodySha256,
        body,
        traceparent,
      }),
    );
    return outcome === 'accepted' ? this.subscriptions.hearing(name) : outcome;
  }

  /**
   * Keeps the bytes of a correctly signed delivery that is not a webhook event.
   *
   * @throws AppendQueueFullError, StoreUnavailableError when they can't be kept.
   */
  async quarantine({ body, bodySha256 = '', project, receivedAt }: WebhookDelivery): Promise<void> {
    await this.log.quarantine({
      source: project ?? 'default',
      sha256: bodySha256,
      reason: 'invalid',
      raw: body ?? Buffer.alloc(0),
      at: receivedAt,
    });
  }
}

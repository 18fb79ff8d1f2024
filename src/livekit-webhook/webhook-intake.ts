import { Inject, Injectable } from '@nestjs/common';
import { EventLog } from '../event-log/event-log.js';
import type { WebhookEventDto } from './dto/webhook-event.dto.js';
import { LIVEKIT_EVENT_NAMES } from './livekit-events.js';
import type { WebhookDelivery } from './raw-body/delivery.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from './settings.js';
import type { AnsweredOutcome } from './webhook-receipts.js';

/** Hands verified deliveries to the event log. */
@Injectable()
export class WebhookIntake {
  constructor(
    private readonly log: EventLog,
    @Inject(WEBHOOK_SETTINGS) private readonly settings: WebhookSettings,
  ) {}

  /**
   * Appends an event; resolves once it is committed.
   *
   * @throws AppendQueueFullError, StoreUnavailableError
   */
  async take(event: WebhookEventDto, delivery: WebhookDelivery): Promise<AnsweredOutcome> {
    const { body = Buffer.alloc(0), digest = Buffer.alloc(0), project = 'default', receivedAt } = delivery;
    const bodySha256 = digest.toString('hex');
    const occurredAt = event.occurredAt ?? receivedAt;
    const eventId = event.id === undefined ? `sha256:${bodySha256}` : plainText(event.id);
    const name = plainText(event.event);
    const roomName = textOrNull(event.room?.name);
    delivery.event = { name, id: eventId, occurredAt, roomName };
    const outcome = await this.log.append({
      source: project,
      eventId,
      kind: 'livekit',
      name,
      roomSid: textOrNull(event.room?.sid),
      roomName,
      occurredAt,
      receivedAt,
      bodySha256,
      body,
    });
    return outcome === 'accepted' ? this.hearing(name) : outcome;
  }

  /**
   * Keeps the bytes of a delivery that was signed rightly and is no event.
   *
   * @throws AppendQueueFullError, StoreUnavailableError when they can't be kept.
   */
  async quarantine({ body, digest, project, receivedAt }: WebhookDelivery): Promise<void> {
    await this.log.quarantine({
      source: project ?? 'default',
      sha256: digest?.toString('hex') ?? '',
      reason: 'invalid',
      raw: body ?? Buffer.alloc(0),
      at: receivedAt,
    });
  }

  private hearing(name: string): AnsweredOutcome {
    if (!(LIVEKIT_EVENT_NAMES as readonly string[]).includes(name)) return 'unknown';
    const { subscribed } = this.settings;
    return subscribed === '*' || subscribed.has(name) ? 'accepted' : 'unsubscribed';
  }
}

// PostgreSQL's text refuses NUL and SQLite cuts there; neither keeps half of a surrogate pair as it came.
const plainText = (text: string): string => text.replaceAll('\0', '\u2400').toWellFormed();

const textOrNull = (text: unknown): string | null =>
  typeof text === 'string' && text !== '' ? plainText(text) : null;

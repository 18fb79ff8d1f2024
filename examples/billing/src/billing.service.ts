import { ParticipantInfo_Kind } from '@livekit/protocol';
import { Injectable } from '@nestjs/common';
import {
  EventLog,
  type LivekitEvent,
  OnLivekitEvent,
  type TransactionalDeliveryContext,
} from 'nestjs-livekit-webhooks';
import { Charge, Invoice } from './entities.js';

const CENTS_A_SECOND = 2;

/** Recorders and agents are not charged for. */
const CHARGED = new Set([ParticipantInfo_Kind.STANDARD, ParticipantInfo_Kind.SIP]);

@Injectable()
export class BillingService {
  constructor(private readonly log: EventLog) {}

  /**
   * Exactly once: what is written with `manager` is committed together with the acknowledgement of the event. That makes
   * `increment` safe here, which would charge twice if it ran twice. LiveKit does not promise an order, so either event
   * may open the invoice.
   */
  @OnLivekitEvent(['participant_left', 'room_finished'], { name: 'billing', transactional: true })
  async bill(
    event: LivekitEvent<'participant_left' | 'room_finished'>,
    { manager }: TransactionalDeliveryContext,
  ): Promise<void> {
    const { sid: roomSid, name: call } = event.room;
    const opened = { roomSid, call, cents: 0 };
    await manager.createQueryBuilder().insert().into(Invoice).values(opened).orIgnore().execute();
    if (event.event === 'room_finished') {
      const closedAt = new Date(Number(event.createdAt) * 1000).toISOString();
      await manager.update(Invoice, { roomSid }, { closedAt });
      // An outbox: the mail is sent if, and only if, this transaction is committed.
      await this.log.appendIn(manager, 'invoice.closed', { roomSid }, { id: `invoice.closed/${roomSid}` });
      return;
    }
    const { participant } = event;
    if (!CHARGED.has(participant.kind)) return;
    const seconds = Math.max(1, Math.ceil(Number(event.createdAt) - Number(participant.joinedAtMs) / 1000));
    const cents = seconds * CENTS_A_SECOND;
    const { sid: participantSid, identity } = participant;
    await manager.insert(Charge, { participantSid, roomSid, identity, seconds, cents });
    await manager.increment(Invoice, { roomSid }, 'cents', cents);
  }
}

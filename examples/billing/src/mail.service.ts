import { Injectable } from '@nestjs/common';
import { type AppEvent, type DeliveryContext, OnAppEvent } from 'nestjs-livekit-webhooks';
import { BillingReader } from './database.module.js';
import { Invoice } from './entities.js';

interface InvoiceClosed {
  roomSid: string;
}

@Injectable()
export class MailService {
  constructor(private readonly billing: BillingReader) {}

  /** At least once: a mail server that knows the key sends nothing twice. */
  @OnAppEvent<InvoiceClosed>('invoice.closed', { name: 'invoice-mail' })
  async send({ data }: AppEvent<InvoiceClosed>, { idempotencyKey }: DeliveryContext): Promise<void> {
    const invoice = await this.billing.read((manager) =>
      manager.findOneByOrFail(Invoice, { roomSid: data.roomSid }),
    );
    console.log(`mail    ${invoice.call}: your call is over (${idempotencyKey})`);
  }
}

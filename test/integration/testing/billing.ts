import { Controller, Injectable, Module, Post } from '@nestjs/common';
import {
  type AppEvent,
  type DeliveryContext,
  EventLog,
  type LivekitEvent,
  OnAppEvent,
  OnLivekitEvent,
} from '../../../src/index.js';

/** Where bills are written down; it can be out of order. */
@Injectable()
export class Ledger {
  isDown = false;
  readonly billed: string[] = [];
  readonly mailed: unknown[] = [];

  bill(call: string): void {
    if (this.isDown) throw new Error('the ledger is down');
    this.billed.push(call);
  }
}

/** Bills every call that is over, and mails the bill. */
@Injectable()
export class Billing {
  constructor(
    private readonly ledger: Ledger,
    private readonly log: EventLog,
  ) {}

  @OnLivekitEvent('room_finished', { name: 'billing' })
  async bill({ room }: LivekitEvent<'room_finished'>, { idempotencyKey }: DeliveryContext): Promise<void> {
    this.ledger.bill(room.name);
    await this.log.append('bill.written', { call: room.name }, { id: idempotencyKey });
  }

  @OnAppEvent<{ call: string }>('bill.written', { name: 'mail-bill' })
  mail({ data }: AppEvent<{ call: string }>): void {
    this.ledger.mailed.push(data);
  }
}

/** A route of the host's own. */
@Controller('bills')
export class BillsController {
  @Post()
  none(): string[] {
    return [];
  }
}

/** A host's module, as its users would test it. */
@Module({ providers: [Ledger, Billing], controllers: [BillsController] })
export class BillingModule {}

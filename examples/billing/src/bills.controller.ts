import { Controller, Get, NotFoundException, Param } from '@nestjs/common';
import { BillingReader } from './database.module.js';
import { Charge, Invoice } from './entities.js';

export type Bill = Pick<Invoice, 'call' | 'cents' | 'closedAt'> & {
  charges: Pick<Charge, 'identity' | 'seconds' | 'cents'>[];
};

@Controller('bills')
export class BillsController {
  constructor(private readonly billing: BillingReader) {}

  @Get()
  all(): Promise<Bill[]> {
    return this.bills({});
  }

  @Get(':call')
  async one(@Param('call') call: string): Promise<Bill[]> {
    const bills = await this.bills({ call });
    if (bills.length === 0) throw new NotFoundException(`no bill for the call ${call}`);
    return bills;
  }

  private bills(which: { call?: string }): Promise<Bill[]> {
    return this.billing.read(async (manager) => {
      const invoices = await manager.find(Invoice, { where: which, order: { call: 'ASC' } });
      const charges = await manager.find(Charge, { order: { identity: 'ASC' } });
      return invoices.map(({ roomSid, call, cents, closedAt }) => ({
        call,
        cents,
        closedAt,
        charges: charges
          .filter((charge) => charge.roomSid === roomSid)
          .map(({ identity, seconds, cents: part }) => ({ identity, seconds, cents: part })),
      }));
    });
  }
}

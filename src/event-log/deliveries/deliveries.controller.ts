import {
  Get,
  HttpCode,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Query,
  type Type,
} from '@nestjs/common';
import { type AdminAccess, AdminController } from '../../access/admin-controller.decorator.js';
import { QueryReader } from '../../access/query-reader.js';
import { SentBody } from '../../access/sent-body.decorator.js';
import { Deliveries } from './deliveries.js';
import { DeliveryErrorsInterceptor } from './delivery-errors.interceptor.js';
import {
  type Delivery,
  DELIVERY_STATES,
  type DeliveryFilter,
  type DeliveryPage,
  type FailedAttempt,
} from './delivery.js';

/** Creates the controller that lists, replays and dismisses deliveries for callers with the admin token. */
export function createDeliveriesController(access: AdminAccess): Type {
  @AdminController('voice/deliveries', access, DeliveryErrorsInterceptor)
  class DeliveriesController {
    constructor(private readonly deliveries: Deliveries) {}

    @Get()
    list(@Query() query: Record<string, unknown>): Promise<DeliveryPage> {
      const read = new QueryReader(query, [...FILTER, 'limit', 'cursor']);
      return this.deliveries.list({
        ...filterIn(read),
        ...read.whole('limit'),
        ...read.text('cursor'),
      });
    }

    @Get(':id')
    async find(@Param('id', ParseIntPipe) id: number): Promise<Delivery & { attempts: FailedAttempt[] }> {
      const delivery = await this.deliveries.get(id);
      if (delivery === null) throw new NotFoundException(`there is no delivery ${id}`);
      return delivery;
    }

    @Post('replay')
    @HttpCode(200)
    async replayAll(
      @Query() query: Record<string, unknown>,
      @SentBody() body: unknown,
    ): Promise<{ replayed: number }> {
      const read = new QueryReader(query, FILTER).forAll(body);
      return { replayed: await this.deliveries.replayAll(filterIn(read)) };
    }

    @Post(':id/replay')
    async replay(@Param('id', ParseIntPipe) id: number): Promise<{ id: number }> {
      return { id: await this.deliveries.replay(id) };
    }

    @Post('dismiss')
    @HttpCode(200)
    async dismissAll(
      @Query() query: Record<string, unknown>,
      @SentBody() body: unknown,
    ): Promise<{ dismissed: number }> {
      const read = new QueryReader(query, ['handler', 'room']).forAll(body);
      return {
        dismissed: await this.deliveries.dismissAll({ ...read.text('handler'), ...read.text('room') }),
      };
    }

    @Post(':id/dismiss')
    @HttpCode(204)
    dismiss(@Param('id', ParseIntPipe) id: number): Promise<void> {
      return this.deliveries.dismiss(id);
    }
  }
  return DeliveriesController;
}

const FILTER = ['handler', 'state', 'room'] as const;

const filterIn = (read: QueryReader<(typeof FILTER)[number]>): DeliveryFilter => ({
  ...read.text('handler'),
  ...read.oneOf('state', DELIVERY_STATES),
  ...read.text('room'),
});

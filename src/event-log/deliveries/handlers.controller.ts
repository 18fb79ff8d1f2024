import { Get, HttpCode, Param, Post, Query, type Type } from '@nestjs/common';
import { type AdminAccess, AdminController } from '../../access/admin-controller.decorator.js';
import { QueryReader } from '../../access/query-reader.js';
import { SentBody } from '../../access/sent-body.decorator.js';
import { Deliveries } from './deliveries.js';
import { DeliveryErrorsInterceptor } from './delivery-errors.interceptor.js';
import type { HandlerLag } from './delivery.js';

/** Creates the controller that shows handlers' lag, and pauses and backfills them, for callers with the admin token. */
export function createHandlersController(access: AdminAccess): Type {
  @AdminController('voice/handlers', access, DeliveryErrorsInterceptor)
  class HandlersController {
    constructor(private readonly deliveries: Deliveries) {}

    @Get()
    async list(): Promise<{ handlers: HandlerLag[] }> {
      return { handlers: await this.deliveries.lag() };
    }

    @Post(':handler/pause')
    @HttpCode(204)
    pause(@Param('handler') handler: string): Promise<void> {
      return this.deliveries.pause(handler);
    }

    @Post(':handler/resume')
    @HttpCode(204)
    resume(@Param('handler') handler: string): Promise<void> {
      return this.deliveries.resume(handler);
    }

    @Post(':handler/backfill')
    @HttpCode(202)
    backfill(
      @Param('handler') handler: string,
      @Query() query: Record<string, unknown>,
      @SentBody() body: unknown,
    ): Promise<void> {
      const read = new QueryReader(query, ['since', 'fromSeq']).forAll(body);
      return this.deliveries.backfill(handler, { ...read.time('since'), ...read.whole('fromSeq') });
    }
  }
  return HandlersController;
}

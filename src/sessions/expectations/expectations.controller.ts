import { Get, Query, type Type } from '@nestjs/common';
import { type AdminAccess, AdminController } from '../../access/admin-controller.decorator.js';
import { QueryReader } from '../../access/query-reader.js';
import { SessionErrorsInterceptor } from '../session-errors.interceptor.js';
import { SessionsService } from '../sessions.service.js';
import { EXPECTATION_STATES } from './expectation.js';
import type { ExpectationsPage } from './expectations.js';

/** Creates the controller that lists expectations, behind the admin token. */
export function createExpectationsController(access: AdminAccess): Type {
  @AdminController('voice/expectations', access, SessionErrorsInterceptor)
  class ExpectationsController {
    constructor(private readonly sessions: SessionsService) {}

    @Get()
    list(@Query() query: Record<string, unknown>): Promise<ExpectationsPage> {
      const read = new QueryReader(query, ['state', 'project', 'cursor', 'limit']);
      return this.sessions.expectations({
        ...read.oneOf('state', EXPECTATION_STATES),
        ...read.text('project'),
        ...read.text('cursor'),
        ...read.whole('limit'),
      });
    }
  }
  return ExpectationsController;
}

import { Get, NotFoundException, Param, Put, Query, type Type } from '@nestjs/common';
import { type AdminAccess, AdminController } from '../access/admin-controller.decorator.js';
import { QueryReader } from '../access/query-reader.js';
import { SentBody } from '../access/sent-body.decorator.js';
import { dispositionIn, expectationIn } from './request-bodies.js';
import type { Expectation } from './expectations/expectation.js';
import { SessionErrorsInterceptor } from './session-errors.interceptor.js';
import { type Session, SESSION_STATES } from './session.js';
import { type SessionsPage, SessionsService } from './sessions.service.js';

/** Creates the controller that lists sessions, and takes what a backend says about them, behind the admin token. */
export function createSessionsController(access: AdminAccess): Type {
  @AdminController('voice/sessions', access, SessionErrorsInterceptor)
  class SessionsController {
    constructor(private readonly sessions: SessionsService) {}

    @Get()
    list(@Query() query: Record<string, unknown>): Promise<SessionsPage> {
      const read = new QueryReader(query, [
        'state',
        'sessionId',
        'room',
        'identity',
        'number',
        'from',
        'to',
        'unmatched',
        'project',
        'cursor',
        'limit',
      ]);
      return this.sessions.list({
        ...read.oneOf('state', SESSION_STATES),
        ...read.text('sessionId'),
        ...read.text('room'),
        ...read.text('identity'),
        ...read.text('number'),
        ...read.time('from'),
        ...read.time('to'),
        ...read.flag('unmatched'),
        ...read.text('project'),
        ...read.text('cursor'),
        ...read.whole('limit'),
      });
    }

    @Get(':sessionId')
    async find(
      @Param('sessionId') sessionId: string,
      @Query() query: Record<string, unknown>,
    ): Promise<{ sessions: Session[] }> {
      const sessions = await this.sessions.find(
        sessionId,
        new QueryReader(query, ['project']).text('project'),
      );
      if (sessions.length === 0) throw new NotFoundException(`no session \`${sessionId}\``);
      return { sessions };
    }

    @Put(':sessionId/expectation')
    expect(
      @Param('sessionId') sessionId: string,
      @Query() query: Record<string, unknown>,
      @SentBody() body: unknown,
    ): Promise<Expectation> {
      return this.sessions.expect(sessionId, {
        ...expectationIn(body),
        ...new QueryReader(query, ['project']).text('project'),
      });
    }

    @Put(':sessionId/disposition')
    setDisposition(
      @Param('sessionId') sessionId: string,
      @Query() query: Record<string, unknown>,
      @SentBody() body: unknown,
    ): Promise<Session> {
      return this.sessions.setDisposition(
        sessionId,
        dispositionIn(body),
        new QueryReader(query, ['project']).text('project'),
      );
    }
  }
  return SessionsController;
}

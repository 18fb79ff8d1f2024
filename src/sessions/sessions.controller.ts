import {
  BadRequestException,
  Controller,
  Get,
  NotFoundException,
  Param,
  Query,
  type Type,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { BearerTokenGuard } from '../access/bearer-token.guard.js';
import { type Session, SESSION_STATES } from './session.js';
import { type SessionsFilter, type SessionsPage, SessionsService } from './sessions.service.js';

/** Makes the controller that tells sessions to whoever shows the admin token. */
export function createSessionsController(adminToken: string): Type {
  @Controller({ path: 'voice/sessions', version: VERSION_NEUTRAL })
  @UseGuards(BearerTokenGuard(adminToken))
  class SessionsController {
    constructor(private readonly sessions: SessionsService) {}

    @Get()
    list(@Query() query: Record<string, unknown>): Promise<SessionsPage> {
      return this.sessions.list(filterOf(query));
    }

    @Get(':sessionId')
    async find(@Param('sessionId') sessionId: string): Promise<{ sessions: Session[] }> {
      const { sessions } = await this.sessions.list({ sessionId, limit: LARGEST_PAGE });
      if (sessions.length === 0) throw new NotFoundException(`no session \`${sessionId}\``);
      return { sessions };
    }
  }
  return SessionsController;
}

const LARGEST_PAGE = 200;
const TEXTS = ['state', 'sessionId', 'identity', 'number', 'cursor'] as const;

function filterOf(query: Record<string, unknown>): SessionsFilter {
  const given = TEXTS.flatMap((name) => {
    const value = query[name];
    if (value === undefined || value === '') return [];
    if (typeof value !== 'string')
      throw new BadRequestException(`\`${name}\` is given more than once: give it once`);
    return [[name, value] as const];
  });
  const filter = Object.fromEntries(given) as SessionsFilter;
  if (filter.state !== undefined && !SESSION_STATES.includes(filter.state)) {
    throw new BadRequestException(`\`state\` must be one of ${SESSION_STATES.join(', ')}`);
  }
  return { ...filter, limit: limitOf(query['limit']) };
}

function limitOf(value: unknown): number {
  const limit = Number(value ?? 50);
  if (Number.isInteger(limit) && limit >= 1 && limit <= LARGEST_PAGE) return limit;
  throw new BadRequestException(`\`limit\` must be a whole number from 1 to ${LARGEST_PAGE}`);
}

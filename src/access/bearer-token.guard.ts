import {
  type CanActivate,
  type ExecutionContext,
  mixin,
  type Type,
  UnauthorizedException,
} from '@nestjs/common';
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Makes a guard that lets through who shows `Authorization: Bearer <token>`. */
export function BearerTokenGuard(token: string): Type<CanActivate> {
  const expected = digest(token);

  class TokenGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const { headers } = context.switchToHttp().getRequest<IncomingMessage>();
      const shown = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
      // Hashed first, so that the comparison takes the same time whatever length is shown.
      if (timingSafeEqual(digest(shown), expected)) return true;
      throw new UnauthorizedException('a bearer token is needed: `Authorization: Bearer <token>`');
    }
  }
  return mixin(TokenGuard);
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

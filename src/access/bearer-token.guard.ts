import {
  type CanActivate,
  type ExecutionContext,
  mixin,
  type Type,
  UnauthorizedException,
} from '@nestjs/common';
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The form of our bearer tokens: hard to guess, and fit for a header. */
export const BEARER_TOKEN = /^[\x21-\x7e]{16,}$/;

/** A configured bearer token is too easy to guess, or can't be sent in a header. */
export class BearerTokenError extends Error {
  override readonly name = 'BearerTokenError';

  constructor(option: string) {
    super(
      `option \`${option}\` must be a bearer token of at least 16 printable characters and no spaces (\`openssl rand -hex 24\` makes one): give such a one, or leave the option out`,
    );
  }
}

/** Creates a guard that requires `Authorization: Bearer <token>`, the value of `option`. @throws BearerTokenError */
export function BearerTokenGuard(option: string, token: string): Type<CanActivate> {
  if (!BEARER_TOKEN.test(token)) throw new BearerTokenError(option);
  const expected = digest(token);

  class TokenGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const { headers } = context.switchToHttp().getRequest<IncomingMessage>();
      const shown = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
      // Hashed first, so that the comparison takes the same time whatever the length of the token sent.
      if (timingSafeEqual(digest(shown), expected)) return true;
      throw new UnauthorizedException('a bearer token is needed: `Authorization: Bearer <token>`');
    }
  }
  return mixin(TokenGuard);
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

import {
  type CanActivate,
  type ExecutionContext,
  mixin,
  type Type,
  UnauthorizedException,
} from '@nestjs/common';
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What a bearer token of ours is made of, so that nobody guesses it, and a header can hold it. */
export const BEARER_TOKEN = /^[\x21-\x7e]{16,}$/;

/** A bearer token of ours would let in whoever guesses it, or nobody. */
export class BearerTokenError extends Error {
  override readonly name = 'BearerTokenError';

  constructor(option: string) {
    super(
      `option \`${option}\` must be a bearer token of at least 16 printable characters and no spaces (\`openssl rand -hex 24\` makes one): give such a one, or leave the option out`,
    );
  }
}

/** Makes a guard that lets through who shows `Authorization: Bearer <token>`, which `option` names. @throws BearerTokenError */
export function BearerTokenGuard(option: string, token: string): Type<CanActivate> {
  if (!BEARER_TOKEN.test(token)) throw new BearerTokenError(option);
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

import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';

type ParsedRequest = Pick<IncomingMessage, 'headers'> & { body?: unknown };

/** The body of a request as it was parsed; `undefined`: none was sent, `null`: one that no parser took. */
export const sentBody = ({ headers, body }: ParsedRequest): unknown => {
  // Express says of such a body what it says of none, and a condition in it would be taken for none.
  const isSent = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return body === undefined && isSent ? null : body;
};

/** Gives a controller's method the request's `sentBody`. */
export const SentBody = createParamDecorator((_: undefined, context: ExecutionContext) =>
  sentBody(context.switchToHttp().getRequest<ParsedRequest>()),
);

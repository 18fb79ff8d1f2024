import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';

type ParsedRequest = Pick<IncomingMessage, 'headers'> & { body?: unknown };

/** The parsed body of a request; `undefined` when none was sent, `null` when no parser took it. */
const sentBody = ({ headers, body }: ParsedRequest): unknown => {
  // Express does not tell an unparsed body from none, so a condition in it would be missed.
  const isSent = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return body === undefined && isSent ? null : body;
};

/** Passes the request's `sentBody` to a controller's method. */
export const SentBody = createParamDecorator((_: undefined, context: ExecutionContext) =>
  sentBody(context.switchToHttp().getRequest<ParsedRequest>()),
);

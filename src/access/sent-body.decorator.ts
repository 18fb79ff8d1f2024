import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';

type ParsedRequest = Pick<IncomingMessage, 'headers'> & { body?: unknown };

/** The parsed body of a request; `undefined` when none was sent, `null` when no parser took it, or it was not sent as JSON. */
const sentBody = ({ headers, body }: ParsedRequest): unknown => {
  // Express does not tell an unparsed body from none, so a condition in it would be missed.
  const isSent = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  // JSON sent as a form, which is the default of curl and urllib, is parsed as a field of that name.
  const isJson = /^[^;]*\bjson\b/i.test(headers['content-type'] ?? '');
  return isSent && (body === undefined || !isJson) ? null : body;
};

/** Passes the request's `sentBody` to a controller's method. */
export const SentBody = createParamDecorator((_: undefined, context: ExecutionContext) =>
  sentBody(context.switchToHttp().getRequest<ParsedRequest>()),
);

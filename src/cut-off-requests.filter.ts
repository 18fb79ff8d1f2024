import { type ArgumentsHost, Catch, type HttpServer } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { isError } from './tracing/spans.js';

/** Says nothing of a request that was cut off, and answers what else fails as Nest does, which would log one of Fastify's as an error of ours. */
@Catch()
export class CutOffRequestsFilter extends BaseExceptionFilter {
  override handleUnknownError(error: unknown, host: ArgumentsHost, server: HttpServer): void {
    if (isCutOff(error)) server.end(host.switchToHttp().getResponse());
    else super.handleUnknownError(error, host, server);
  }
}

// As Node's server has it of a body that ends before its length.
const isCutOff = (error: unknown): boolean =>
  isError(error) && error.message === 'aborted' && Reflect.get(error, 'code') === 'ECONNRESET';

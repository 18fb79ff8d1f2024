import { type ArgumentsHost, Catch, type HttpServer } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { isError } from '../tracing/spans.js';

/** Keeps quiet about a request that its client cut off, which Nest on Fastify would log as an error; answers all else as Nest does. */
@Catch()
export class CutOffRequestsFilter extends BaseExceptionFilter {
  override handleUnknownError(error: unknown, host: ArgumentsHost, server: HttpServer): void {
    if (isCutOff(error)) server.end(host.switchToHttp().getResponse());
    else super.handleUnknownError(error, host, server);
  }
}

// What Node's server raises for a body that ends before its length.
const isCutOff = (error: unknown): boolean =>
  isError(error) && error.message === 'aborted' && Reflect.get(error, 'code') === 'ECONNRESET';

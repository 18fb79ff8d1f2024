import {
  applyDecorators,
  type CanActivate,
  Controller,
  Get,
  Inject,
  Req,
  Res,
  type Type,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import { Registry } from 'prom-client';
import { BearerTokenGuard } from '../access/bearer-token.guard.js';
import { expose } from './exposition.js';
import { METRICS_REGISTRY } from './metrics.registry.js';

const ANYBODY: CanActivate = { canActivate: () => true };

/** Creates the controller that serves the metrics. */
export function createMetricsController(
  path: string,
  token: string | undefined,
  decorators: ClassDecorator[] = [],
): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(token === undefined ? ANYBODY : BearerTokenGuard('token', token))
  @applyDecorators(...decorators)
  class MetricsController {
    constructor(
      @Inject(METRICS_REGISTRY) private readonly registry: Registry,
      private readonly adapterHost: HttpAdapterHost,
    ) {}

    @Get()
    async metrics(@Req() request: IncomingMessage, @Res() response: unknown): Promise<void> {
      const openMetrics = request.headers.accept?.includes('application/openmetrics-text') ?? false;
      const { contentType, text } = await expose(this.registry, openMetrics ? 'openmetrics' : 'prometheus');
      const adapter = this.adapterHost.httpAdapter;
      adapter.setHeader(response, 'Content-Type', contentType);
      adapter.reply(response, text, 200);
    }
  }
  return MetricsController;
}

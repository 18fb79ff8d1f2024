import { type INestApplication, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { AppModule } from './app.module.js';
import type { Environment } from './config/environment.js';

/** LiveKit keeps idle connections for 90 s (Go's default transport): closing ours sooner would cut off its next delivery. */
const KEEP_ALIVE = 95_000;

/** No request may take longer than this, whatever it waits for, milliseconds (Fastify has no limit of its own). */
const REQUEST_TIMEOUT = 30_000;

/** Builds the application, not yet listening. */
export async function createApplication(
  environment: Environment,
  logger: LoggerService,
): Promise<INestApplication> {
  const { tls } = environment.http;
  const https = tls && { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) };
  const app = await NestFactory.create(
    AppModule.forRoot(environment),
    await httpAdapter(environment, https),
    {
      logger,
      abortOnError: false,
      ...(https && { httpsOptions: https }),
    },
  );
  app.enableShutdownHooks([], { useProcessExit: true });
  const server = app.getHttpServer() as Server;
  server.keepAliveTimeout = KEEP_ALIVE;
  server.headersTimeout = REQUEST_TIMEOUT;
  server.requestTimeout = REQUEST_TIMEOUT;
  return app;
}

async function httpAdapter({ http }: Environment, https: { cert: Buffer; key: Buffer } | undefined) {
  if (http.adapter === 'express') return new ExpressAdapter();
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');
  return new FastifyAdapter(https ? { https } : {});
}

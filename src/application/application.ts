import { type INestApplication, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { readFileSync } from 'node:fs';
import { maxHeaderSize, type Server } from 'node:http';
import { createSecureContext } from 'node:tls';
import { AppModule } from './app.module.js';
import { closeInTime } from './close-in-time.js';
import { EnvironmentError } from '../config/environment-reader.js';
import type { Environment } from '../config/environment.js';
import { CutOffRequestsFilter } from './cut-off-requests.filter.js';

/** Longer than any peer keeps an idle connection: Google's load balancer 600 s, Caddy 120, LiveKit 90, nginx and AWS 60. */
const KEEP_ALIVE = 620_000;

/** The longest that a request may take to arrive, milliseconds (Fastify has no limit of its own). */
const REQUEST_TIMEOUT = 30_000;

/** How long a name in a path may be, as on Express: Fastify's own 100 are less than a room's name may have. */
const LONGEST_PARAMETER = maxHeaderSize;

/**
 * Builds the application, not yet listening.
 *
 * @param onStopped is called when everything else has stopped.
 * @throws EnvironmentError, or the error that keeps Nest from starting, which it has logged.
 */
export async function createApplication(
  environment: Environment,
  logger: LoggerService,
  onStopped?: () => Promise<void>,
): Promise<INestApplication> {
  const https = httpsOptions(environment);
  const app = await NestFactory.create(
    AppModule.forRoot(environment, onStopped),
    await httpAdapter(environment, https),
    {
      logger,
      abortOnError: false,
      ...(https && { httpsOptions: https }),
    },
  );
  app.useGlobalFilters(new CutOffRequestsFilter(app.getHttpAdapter()));
  app.enableShutdownHooks([], { useProcessExit: true });
  const server = app.getHttpServer() as Server;
  server.keepAliveTimeout = KEEP_ALIVE;
  server.headersTimeout = REQUEST_TIMEOUT;
  server.requestTimeout = REQUEST_TIMEOUT;
  closeInTime(server);
  return app;
}

interface HttpsOptions {
  cert: Buffer;
  key: Buffer;
}

function httpsOptions({ http: { tls } }: Environment): HttpsOptions | undefined {
  if (tls === undefined) return undefined;
  const options = { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) };
  try {
    createSecureContext(options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new EnvironmentError([
      `TLS_CERT_FILE and TLS_KEY_FILE are no pair that TLS can use (${why}): give a certificate and its key, both in PEM`,
    ]);
  }
  return options;
}

async function httpAdapter({ http }: Environment, https: HttpsOptions | undefined) {
  if (http.adapter === 'express') return new ExpressAdapter();
  const { FastifyAdapter } = await import('@nestjs/platform-fastify').catch(() => {
    throw new EnvironmentError([
      'HTTP_ADAPTER is fastify, and @nestjs/platform-fastify is not installed: npm install @nestjs/platform-fastify',
    ]);
  });
  return new FastifyAdapter({
    return503OnClosing: false, // webhooks that still arrive while it closes can be stored
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    ...(https && { https }),
  });
}

import 'reflect-metadata';
import type { INestApplication, LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { config } from './config.js';

/** Starts the backend; `close()` or SIGTERM lets running handlers finish. */
export async function startBackend(...logger: LogLevel[]): Promise<INestApplication> {
  const app = await NestFactory.create(AppModule, { logger });
  app.enableShutdownHooks();
  await app.listen(config.port, '127.0.0.1');
  return app;
}

import 'reflect-metadata';
import { type INestApplication, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  type DeliveryRunnerOptions,
  type EventStoreOptions,
  LivekitWebhookModule,
  type Role,
} from '../../dist/index.js';
import { AppLogger } from '../../dist/config/app-logger.js';
import { API_KEY, API_SECRET, PATH } from './keys.js';

/** What an application of ours is made of. */
export interface ApplicationShape {
  database: EventStoreOptions;
  deliveries?: DeliveryRunnerOptions;
  role?: Role;
  /** Whether it writes its log lines. */
  logs?: boolean;
  adapter?: 'express' | 'fastify';
  providers?: NonNullable<ModuleMetadata['providers']>;
  imports?: NonNullable<ModuleMetadata['imports']>;
}

/** A Nest application with our modules, which has not begun: neither to listen nor to run handlers. */
export function application(shape: ApplicationShape): Promise<INestApplication> {
  const {
    database,
    deliveries = {},
    role = 'all',
    logs = true,
    adapter = 'express',
    providers = [],
    imports = [],
  } = shape;
  class Host {}
  Module({
    imports: [
      LivekitWebhookModule.forRoot({
        apiKey: API_KEY,
        apiSecret: API_SECRET,
        path: PATH,
        database,
        deliveries,
        role,
      }),
      ...imports,
    ],
    providers,
  })(Host);
  // It writes a log line for each delivery it accepts, as in real use.
  return NestFactory.create(Host, adapter === 'fastify' ? new FastifyAdapter() : new ExpressAdapter(), {
    logger: logs && new AppLogger({ format: 'json', level: 'log' }),
  });
}

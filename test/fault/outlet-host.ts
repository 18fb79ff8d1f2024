/**
 * A host with outlets, in a process of its own. Its database and address are told as the application's are; beside that:
 *
 * - `FAULT_PROJECT`: the name of its LiveKit project;
 * - `FAULT_OUTLETS`: the options of `OutletsModule`, in JSON.
 */
import 'reflect-metadata';
import { ConsoleLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  LivekitWebhookModule,
  OutletsModule,
  type OutletsModuleOptions,
  SessionsModule,
} from '../../dist/index.js';

const env = (name: string): string => process.env[name] ?? '';

@Module({
  imports: [
    LivekitWebhookModule.forRoot({
      projects: [
        { name: env('FAULT_PROJECT'), apiKey: env('LIVEKIT_API_KEY'), apiSecret: env('LIVEKIT_API_SECRET') },
      ],
      database: { url: env('DATABASE_URL') },
    }),
    SessionsModule.forRoot(),
    OutletsModule.forRoot(JSON.parse(env('FAULT_OUTLETS')) as OutletsModuleOptions),
  ],
})
class OutletHost {}

const logger = new ConsoleLogger({ json: true, colors: false });
const app = await NestFactory.create(OutletHost, { logger });
await app.listen(0, '127.0.0.1');
logger.log(`listening on ${await app.getUrl()}`);
process.once('SIGTERM', () => void app.close());

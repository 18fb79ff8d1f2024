// A Nest 12 host in ESM with nothing optional: no event emitter, no Terminus, no Fastify, no PostgreSQL.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { LivekitWebhookModule, MetricsModule, SessionsModule } from 'nestjs-livekit-webhooks';

@Module({
  imports: [
    LivekitWebhookModule.forRoot({
      apiKey: 'APIhost',
      apiSecret: process.env['SECRET'] ?? '',
      database: { url: 'file:./data/voice.sqlite' },
    }),
    SessionsModule.forRoot({ adminToken: 'an-admin-token-of-the-host' }),
    MetricsModule.forRoot(),
  ],
})
class HostModule {}

const app = await NestFactory.create(HostModule, { logger: ['warn', 'error'] });
await app.listen(0, '127.0.0.1');
console.log(`listening on ${await app.getUrl()}`);

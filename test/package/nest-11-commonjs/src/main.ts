// A Nest 11 host in CommonJS, as most existing backends are, with a listener, Terminus, a global prefix and a tracing SDK of long ago.
import 'reflect-metadata';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import {
  type LivekitEvent,
  LivekitWebhookModule,
  MetricsModule,
  SessionsModule,
} from 'nestjs-livekit-webhooks';
import { EventStoreHealthIndicator, LivekitHealthModule } from 'nestjs-livekit-webhooks/health';

@Injectable()
class LiveView {
  @OnEvent('livekit.participant_joined')
  joined(event: LivekitEvent<'participant_joined'>) {
    console.log(`heard ${event.participant.identity}`);
  }
}

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly eventStore: EventStoreHealthIndicator,
  ) {}

  @Get()
  check() {
    return this.health.check([() => this.eventStore.isHealthy()]);
  }
}

@Module({
  imports: [
    EventEmitterModule.forRoot(),
    TerminusModule,
    LivekitHealthModule,
    LivekitWebhookModule.forRootAsync({
      useFactory: () => ({
        apiKey: 'APIhost',
        apiSecret: process.env['SECRET'] ?? '',
        database: { url: 'file:./data/voice.sqlite' },
      }),
    }),
    SessionsModule.forRoot({ adminToken: 'an-admin-token-of-the-host' }),
    MetricsModule.forRoot(),
  ],
  controllers: [HealthController],
  providers: [LiveView],
})
class HostModule {}

async function main() {
  new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())],
  }).register();
  const app = await NestFactory.create(HostModule, { logger: ['warn', 'error'] });
  app.setGlobalPrefix('api');
  await app.listen(0, '127.0.0.1');
  console.log(`listening on ${await app.getUrl()}/api`);
}

void main();

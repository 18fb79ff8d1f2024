import { type DynamicModule, Module } from '@nestjs/common';
import { EventEmitterModule } from '@nestjs/event-emitter';
import type { Environment } from './config/environment.js';
import { HealthModule } from './health/health.module.js';
import { LivekitWebhookModule } from './livekit-webhook/livekit-webhook.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { SessionsModule } from './sessions/sessions.module.js';

/** The application: the same modules that a host imports, put together from the environment. */
@Module({})
export class AppModule {
  static forRoot(environment: Environment): DynamicModule {
    const { webhook, database, sessions, metrics } = environment;
    return {
      module: AppModule,
      imports: [
        EventEmitterModule.forRoot({ wildcard: true }),
        LivekitWebhookModule.forRoot({ ...webhook, database }),
        SessionsModule.forRoot(sessions),
        MetricsModule.forRoot({ ...metrics, processMetrics: true }),
        HealthModule,
      ],
    };
  }
}

import { type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common';
import { EventEmitterModule } from '@nestjs/event-emitter';
import type { Environment } from '../config/environment.js';
import { HealthModule } from '../health/health.module.js';
import { LivekitWebhookModule } from '../livekit-webhook/livekit-webhook.module.js';
import { MetricsModule } from '../metrics/metrics.module.js';
import { OutletsModule } from '../outlets/outlets.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';

class Stopped implements OnApplicationShutdown {
  constructor(readonly onApplicationShutdown: () => Promise<void>) {}
}

/** The application: the same modules that a host imports, configured from the environment. */
@Module({})
export class AppModule {
  static forRoot(
    environment: Environment,
    onStopped: () => Promise<void> = async () => undefined,
  ): DynamicModule {
    const { webhook, database, role, deliveries, retention, sessions, metrics, outlets, health, adminToken } =
      environment;
    const routes = role === 'worker' || adminToken === undefined ? {} : { adminToken };
    return {
      module: AppModule,
      imports: [
        EventEmitterModule.forRoot({ wildcard: true }),
        LivekitWebhookModule.forRoot({ ...webhook, database, role, deliveries, retention, ...routes }),
        SessionsModule.forRoot({ ...sessions, ...routes }),
        OutletsModule.forRoot(outlets),
        MetricsModule.forRoot({ ...metrics, processMetrics: true }),
        HealthModule.forRoot(health),
      ],
      providers: [{ provide: Stopped, useValue: new Stopped(onStopped) }],
    };
  }
}

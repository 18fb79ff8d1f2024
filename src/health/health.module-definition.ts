import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { LivekitHealthModuleOptions } from './health.options.js';

/** What `LivekitHealthModule` is made of: `forRoot`, `forRootAsync` and the token of its options. */
export const { ConfigurableModuleClass: HealthModuleClass, MODULE_OPTIONS_TOKEN: HEALTH_OPTIONS } =
  new ConfigurableModuleBuilder<LivekitHealthModuleOptions>({
    moduleName: 'LivekitHealth',
    optionsInjectionToken: Symbol.for('nestjs-livekit-webhooks:health-options'),
  })
    .setClassMethodName('forRoot')
    .build();

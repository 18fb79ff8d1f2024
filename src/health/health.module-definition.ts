import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { LivekitHealthModuleOptions } from './health.options.js';

/** The base of `LivekitHealthModule`: `forRoot`, `forRootAsync` and the token of its options. */
export const { ConfigurableModuleClass: HealthModuleClass, MODULE_OPTIONS_TOKEN: HEALTH_OPTIONS } =
  new ConfigurableModuleBuilder<LivekitHealthModuleOptions>({
    moduleName: 'LivekitHealth',
    optionsInjectionToken: Symbol.for('nestjs-livekit-webhooks:health-options'),
  })
    .setClassMethodName('forRoot')
    .build();

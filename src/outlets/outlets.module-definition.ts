import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { OutletsModuleOptions } from './outlets.options.js';

const builder = new ConfigurableModuleBuilder<OutletsModuleOptions>({
  moduleName: 'Outlets',
  optionsInjectionToken: Symbol.for('nestjs-livekit-webhooks:outlets-options'),
})
  .setClassMethodName('forRoot')
  .setExtras({}, (definition) => ({ ...definition, global: true }));

/** What `OutletsModule` is made of: `forRoot`, `forRootAsync` and the token of its options. */
export const { ConfigurableModuleClass: OutletsModuleClass, MODULE_OPTIONS_TOKEN: OUTLETS_OPTIONS } =
  builder.build();

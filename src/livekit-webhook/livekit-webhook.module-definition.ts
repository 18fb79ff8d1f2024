import { ConfigurableModuleBuilder } from '@nestjs/common';
import { ROLE } from '../event-log/role.js';
import type { LivekitWebhookModuleExtras, LivekitWebhookModuleOptions } from './livekit-webhook.options.js';
import { createLivekitWebhookController } from './livekit-webhook.controller.js';
import { mountedPaths } from './settings.js';

/** Where the paths that webhooks are received on are injected from. */
export const WEBHOOK_PATHS = Symbol.for('nestjs-livekit-webhooks:paths');

const builder = new ConfigurableModuleBuilder<LivekitWebhookModuleOptions>({
  moduleName: 'LivekitWebhook',
  optionsInjectionToken: Symbol.for('nestjs-livekit-webhooks:options'),
})
  .setClassMethodName('forRoot')
  .setExtras<LivekitWebhookModuleExtras>({}, (definition, extras) => {
    const { decorators, role = 'all' } = extras;
    const paths = mountedPaths(extras);
    return {
      ...definition,
      global: true,
      controllers:
        role === 'worker' ? [] : paths.map((path) => createLivekitWebhookController(path, decorators)),
      providers: [
        ...(definition.providers ?? []),
        { provide: WEBHOOK_PATHS, useValue: paths },
        { provide: ROLE, useValue: role },
      ],
    };
  });

/** What `LivekitWebhookModule` is made of: `forRoot`, `forRootAsync` and the token of its options. */
export const {
  ConfigurableModuleClass: LivekitWebhookModuleClass,
  MODULE_OPTIONS_TOKEN: LIVEKIT_WEBHOOK_OPTIONS,
} = builder.build();

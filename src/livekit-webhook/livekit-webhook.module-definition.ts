import { ConfigurableModuleBuilder } from '@nestjs/common';
import { createDeliveriesController } from '../event-log/deliveries/deliveries.controller.js';
import { createHandlersController } from '../event-log/deliveries/handlers.controller.js';
import { ROLE } from '../event-log/role.js';
import { mountedPaths } from './keys-by-path.js';
import { createLivekitWebhookController } from './livekit-webhook.controller.js';
import {
  LIVEKIT_WEBHOOK_EXTRAS,
  type LivekitWebhookModuleExtras,
  type LivekitWebhookModuleOptions,
} from './livekit-webhook.options.js';

/** The injection token of the paths that webhooks are received on. */
export const WEBHOOK_PATHS = Symbol.for('nestjs-livekit-webhooks:paths');

const builder = new ConfigurableModuleBuilder<LivekitWebhookModuleOptions>({
  moduleName: 'LivekitWebhook',
  optionsInjectionToken: Symbol.for('nestjs-livekit-webhooks:options'),
})
  .setClassMethodName('forRoot')
  // Named one by one, so that Nest keeps them out of the options.
  .setExtras<LivekitWebhookModuleExtras>(LIVEKIT_WEBHOOK_EXTRAS, (definition, extras) => {
    const { decorators, role = 'all', adminToken, adminDecorators } = extras;
    const paths = mountedPaths(extras);
    const controllers = paths.map((path) => createLivekitWebhookController(path, decorators));
    if (adminToken !== undefined) {
      const access = { adminToken, adminDecorators };
      controllers.push(createDeliveriesController(access), createHandlersController(access));
    }
    return {
      ...definition,
      global: true,
      controllers: role === 'worker' ? [] : controllers,
      providers: [
        ...(definition.providers ?? []),
        { provide: WEBHOOK_PATHS, useValue: paths },
        { provide: ROLE, useValue: role },
      ],
    };
  });

/** The base of `LivekitWebhookModule`: `forRoot`, `forRootAsync` and the token of its options. */
export const {
  ConfigurableModuleClass: LivekitWebhookModuleClass,
  MODULE_OPTIONS_TOKEN: LIVEKIT_WEBHOOK_OPTIONS,
} = builder.build();

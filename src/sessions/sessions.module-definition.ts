import { ConfigurableModuleBuilder } from '@nestjs/common';
import { createExpectationsController } from './expectations/expectations.controller.js';
import { createSessionsController } from './sessions.controller.js';
import {
  SESSIONS_EXTRAS,
  type SessionsModuleExtras,
  type SessionsModuleOptions,
} from './sessions.options.js';

const builder = new ConfigurableModuleBuilder<SessionsModuleOptions>({
  moduleName: 'Sessions',
  optionsInjectionToken: Symbol.for('nestjs-livekit-webhooks:sessions-options'),
})
  .setClassMethodName('forRoot')
  // Named one by one, so that Nest keeps them out of the options.
  .setExtras<SessionsModuleExtras>(SESSIONS_EXTRAS, (definition, { adminToken, adminDecorators }) => ({
    ...definition,
    global: true,
    controllers:
      adminToken === undefined
        ? []
        : [createSessionsController, createExpectationsController].map((create) =>
            create({ adminToken, adminDecorators }),
          ),
  }));

/** What `SessionsModule` is made of: `forRoot`, `forRootAsync` and the token of its options. */
export const { ConfigurableModuleClass: SessionsModuleClass, MODULE_OPTIONS_TOKEN: SESSIONS_OPTIONS } =
  builder.build();

import { type DynamicModule, Module } from '@nestjs/common';
import { createSessionsController } from './sessions.controller.js';
import { SessionProjection } from './session-projection.js';
import { SESSIONS_OPTIONS, type SessionsModuleOptions } from './sessions.options.js';
import { SessionsService } from './sessions.service.js';

/** Makes sessions out of the events that `LivekitWebhookModule` stores, and answers questions about them. */
@Module({})
export class SessionsModule {
  /** With no options: a room's name is its session's id, and there are no routes. */
  static forRoot(options: SessionsModuleOptions = {}): DynamicModule {
    const { adminToken } = options;
    return {
      module: SessionsModule,
      global: true,
      controllers: adminToken === undefined ? [] : [createSessionsController(adminToken)],
      providers: [{ provide: SESSIONS_OPTIONS, useValue: options }, SessionProjection, SessionsService],
      exports: [SessionsService],
    };
  }
}

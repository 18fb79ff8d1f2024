import {
  applyDecorators,
  Controller,
  type ExceptionFilter,
  type Type,
  UseFilters,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { BearerTokenGuard } from './bearer-token.guard.js';

/** Makes a class a controller, whatever a host's versions, for whoever shows the admin token. @throws BearerTokenError */
export const AdminController = (
  path: string,
  adminToken: string,
  filter: Type<ExceptionFilter>,
): ClassDecorator =>
  applyDecorators(
    Controller({ path, version: VERSION_NEUTRAL }),
    UseGuards(BearerTokenGuard(adminToken)),
    UseFilters(filter),
  );

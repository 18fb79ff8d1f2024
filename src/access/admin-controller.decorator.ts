import {
  applyDecorators,
  Controller,
  type NestInterceptor,
  type Type,
  UseGuards,
  UseInterceptors,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { BearerTokenGuard } from './bearer-token.guard.js';

/** Who may use the admin routes of a module. */
export interface AdminAccess {
  /** The bearer token that is required. */
  adminToken: string;
  /** Put on the controllers, to let requests past the host's global guards. */
  adminDecorators?: ClassDecorator[] | undefined;
}

/** Makes a class a version-neutral controller that requires the admin token. @throws BearerTokenError */
export const AdminController = (
  path: string,
  { adminToken, adminDecorators = [] }: AdminAccess,
  errors: Type<NestInterceptor>,
): ClassDecorator =>
  applyDecorators(
    Controller({ path, version: VERSION_NEUTRAL }),
    UseGuards(BearerTokenGuard('adminToken', adminToken)),
    UseInterceptors(errors),
    ...adminDecorators,
  );

import { BadRequestException, NotFoundException } from '@nestjs/common';
import { ErrorsInterceptor } from '../access/errors.interceptor.js';
import { SessionNotFoundError, SessionRequestError } from './errors.js';

/** Answers invalid requests with 400, and requests for what does not exist with 404. */
export const SessionErrorsInterceptor = ErrorsInterceptor(
  [SessionRequestError, BadRequestException],
  [SessionNotFoundError, NotFoundException],
);

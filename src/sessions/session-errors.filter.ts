import { BadRequestException, NotFoundException } from '@nestjs/common';
import { ErrorsFilter } from '../access/errors.filter.js';
import { SessionNotFoundError, SessionRequestError } from './errors.js';

/** Answers invalid requests with 400, and requests for what does not exist with 404. */
export const SessionErrorsFilter = ErrorsFilter(
  [SessionRequestError, BadRequestException],
  [SessionNotFoundError, NotFoundException],
);

import { BadRequestException, NotFoundException } from '@nestjs/common';
import { ErrorsFilter } from '../access/errors.filter.js';
import { SessionNotFoundError, SessionRequestError } from './errors.js';

/** Answers what was asked wrongly 400, and what is not there 404. */
export const SessionErrorsFilter = ErrorsFilter(
  [SessionRequestError, BadRequestException],
  [SessionNotFoundError, NotFoundException],
);

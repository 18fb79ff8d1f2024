import { BadRequestException, ConflictException, NotFoundException } from '@nestjs/common';
import { ErrorsFilter } from '../../access/errors.filter.js';
import { DeliveryNotFoundError, DeliveryRequestError, DeliveryStateError } from './errors.js';

/** Answers an invalid request with 400, what does not exist with 404, and what the state does not allow with 409. */
export const DeliveryErrorsFilter = ErrorsFilter(
  [DeliveryRequestError, BadRequestException],
  [DeliveryNotFoundError, NotFoundException],
  [DeliveryStateError, ConflictException],
);

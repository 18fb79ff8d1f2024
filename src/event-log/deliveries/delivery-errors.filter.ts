import { BadRequestException, ConflictException, NotFoundException } from '@nestjs/common';
import { ErrorsFilter } from '../../access/errors.filter.js';
import { DeliveryNotFoundError, DeliveryRequestError, DeliveryStateError } from './errors.js';

/** Answers what was asked wrongly 400, what is not there 404, and what is in no state for it 409. */
export const DeliveryErrorsFilter = ErrorsFilter(
  [DeliveryRequestError, BadRequestException],
  [DeliveryNotFoundError, NotFoundException],
  [DeliveryStateError, ConflictException],
);

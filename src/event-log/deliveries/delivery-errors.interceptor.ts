import { BadRequestException, ConflictException, NotFoundException } from '@nestjs/common';
import { ErrorsInterceptor } from '../../access/errors.interceptor.js';
import { DeliveryNotFoundError, DeliveryRequestError, DeliveryStateError } from './errors.js';

/** Answers an invalid request with 400, what does not exist with 404, and what the state does not allow with 409. */
export const DeliveryErrorsInterceptor = ErrorsInterceptor(
  [DeliveryRequestError, BadRequestException],
  [DeliveryNotFoundError, NotFoundException],
  [DeliveryStateError, ConflictException],
);

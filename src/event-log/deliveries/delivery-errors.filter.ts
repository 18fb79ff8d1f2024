import {
  type ArgumentsHost,
  BadRequestException,
  Catch,
  ConflictException,
  type ExceptionFilter,
  type HttpException,
  NotFoundException,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { DeliveryNotFoundError, DeliveryRequestError, DeliveryStateError } from './errors.js';

/** Answers what was asked wrongly 400, what is not there 404, and what is in no state for it 409. */
@Catch(DeliveryRequestError, DeliveryNotFoundError, DeliveryStateError)
export class DeliveryErrorsFilter implements ExceptionFilter<Error> {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: Error, context: ArgumentsHost): void {
    const exception = answerTo(error);
    const response: unknown = context.switchToHttp().getResponse();
    this.host.httpAdapter.reply(response, exception.getResponse(), exception.getStatus());
  }
}

function answerTo(error: Error): HttpException {
  if (error instanceof DeliveryRequestError) return new BadRequestException(error.message);
  if (error instanceof DeliveryNotFoundError) return new NotFoundException(error.message);
  return new ConflictException(error.message);
}

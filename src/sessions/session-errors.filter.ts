import {
  type ArgumentsHost,
  BadRequestException,
  Catch,
  type ExceptionFilter,
  type HttpException,
  NotFoundException,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { SessionNotFoundError, SessionRequestError } from './errors.js';

/** Answers what was asked wrongly 400, and what is not there 404. */
@Catch(SessionRequestError, SessionNotFoundError)
export class SessionErrorsFilter implements ExceptionFilter<Error> {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: Error, context: ArgumentsHost): void {
    const exception: HttpException =
      error instanceof SessionNotFoundError
        ? new NotFoundException(error.message)
        : new BadRequestException(error.message);
    const response: unknown = context.switchToHttp().getResponse();
    this.host.httpAdapter.reply(response, exception.getResponse(), exception.getStatus());
  }
}

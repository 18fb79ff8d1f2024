import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  type HttpException,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/** Creates a filter that answers errors of ours with HTTP exceptions, keeping their messages. */
export function ErrorsFilter(...answers: [Type<Error>, Type<HttpException>][]): Type<ExceptionFilter> {
  @Catch(...answers.map(([Caught]) => Caught))
  class OurErrorsFilter implements ExceptionFilter<Error> {
    constructor(private readonly host: HttpAdapterHost) {}

    catch(error: Error, context: ArgumentsHost): void {
      for (const [Caught, Answer] of answers) {
        if (!(error instanceof Caught)) continue;
        const exception = new Answer(error.message);
        const response: unknown = context.switchToHttp().getResponse();
        this.host.httpAdapter.reply(response, exception.getResponse(), exception.getStatus());
        return;
      }
    }
  }
  return OurErrorsFilter;
}

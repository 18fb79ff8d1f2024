import {
  type CallHandler,
  type ExecutionContext,
  type HttpException,
  Injectable,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { catchError, type Observable } from 'rxjs';

/**
 * Creates an interceptor that turns errors of ours into HTTP exceptions, keeping their messages. Unlike a filter of the
 * controller it leaves the answer to the host's filters, which then answer all errors of the route alike.
 */
export function ErrorsInterceptor(...answers: [Type<Error>, Type<HttpException>][]): Type<NestInterceptor> {
  @Injectable()
  class OurErrorsInterceptor implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(
        catchError((error: unknown) => {
          const answer = answers.find(([Caught]) => error instanceof Caught);
          throw answer === undefined ? error : new answer[1]((error as Error).message);
        }),
      );
    }
  }
  return OurErrorsInterceptor;
}

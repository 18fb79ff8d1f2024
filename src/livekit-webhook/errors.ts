import type { SignatureFailure } from './signatures/signature.js';

/** An option of `LivekitWebhookModule` can't work; the message names the option and the cure. */
export class LivekitWebhookOptionsError extends Error {
  override readonly name = 'LivekitWebhookOptionsError';

  constructor(option: string, problem: string) {
    super(`LivekitWebhookModule: option \`${option}\` ${problem}`);
  }
}

/** The body was signed correctly, but is not a webhook event. */
export class InvalidWebhookError extends Error {
  override readonly name = 'InvalidWebhookError';
}

/** Refuses a request. It has no stack trace, which would be a tenth of the cost of a forged request. */
abstract class RefusedError extends Error {
  constructor(message: string) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The request has no valid signature made with a secret of ours. */
export class SignatureRefusedError extends RefusedError {
  override readonly name = 'SignatureRefusedError';

  constructor(readonly failure: SignatureFailure) {
    super(`signature refused: ${failure.reason}`);
  }
}

/** Why a request was refused before its signature was checked. */
export type RequestProblem =
  'method_not_allowed' | 'too_large' | 'unsupported_encoding' | 'unfinished' | 'unread';

/** The request is not one that a webhook sender makes, or its body did not arrive. */
export class RequestRefusedError extends RefusedError {
  override readonly name = 'RequestRefusedError';

  constructor(readonly problem: RequestProblem) {
    super(`request refused: ${problem}`);
  }
}

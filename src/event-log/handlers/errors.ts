import { ToldError } from '../../logging/told-error.js';

/** A durable handler's declaration can't work; the message names its class and method, and the cure. */
export class HandlerDeclarationError extends ToldError {
  override readonly name = 'HandlerDeclarationError';

  constructor(where: string, problem: string) {
    super(`${where}: ${problem}`);
  }
}

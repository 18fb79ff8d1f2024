/** A durable handler is declared in a way that can't work; the message names its class and method, and the cure. */
export class HandlerDeclarationError extends Error {
  override readonly name = 'HandlerDeclarationError';

  constructor(where: string, problem: string) {
    super(`${where}: ${problem}`);
  }
}

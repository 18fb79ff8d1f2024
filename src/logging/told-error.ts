/**
 * An error whose message is fit for logs and for `/health`: it holds no secret, and nothing that is somebody's. Of any other
 * error they tell its class, its code and where it was thrown.
 */
export class ToldError extends Error {
  override readonly name: string = 'ToldError';
}

const told = new WeakSet<Error>();

/** Says of one error that its message is fit for logs. */
export function tellable<E extends Error>(error: E): E {
  told.add(error);
  return error;
}

/** Whether the message of an error is fit for logs. */
export const isTold = (error: Error): boolean => error instanceof ToldError || told.has(error);

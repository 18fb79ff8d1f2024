import { MissingPeerError } from '../optional-peer.js';

/**
 * An error whose message is fit for logs and for `/health`: it holds no secret and no personal data. Of any other error they
 * show only its class, its code and where it was thrown.
 */
export class ToldError extends Error {
  override readonly name: string = 'ToldError';
}

const told = new WeakSet<Error>();

/** Marks the message of one error as fit for logs. */
export function tellable<E extends Error>(error: E): E {
  told.add(error);
  return error;
}

/** Whether the message of an error is fit for logs. */
export const isTold = (error: Error): boolean =>
  error instanceof ToldError || error instanceof MissingPeerError || told.has(error);

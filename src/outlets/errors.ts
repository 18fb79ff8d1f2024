import { ToldError } from '../logging/told-error.js';

/** An option of `OutletsModule` is invalid; the message names the option and the cure, and holds no secret. */
export class OutletsOptionsError extends Error {
  override readonly name = 'OutletsOptionsError';

  constructor(option: string, problem: string) {
    super(`OutletsModule: option \`${option}\` ${problem}`);
  }
}

/** An outlet could not publish an event: its target is down, or refused it. The delivery is retried. */
export class OutletError extends ToldError {
  override readonly name = 'OutletError';
}

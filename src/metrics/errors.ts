/** An option of `MetricsModule` is none; the message names it, and those that there are. */
export class MetricsOptionsError extends Error {
  override readonly name = 'MetricsOptionsError';

  constructor(option: string, problem: string) {
    super(`MetricsModule: option \`${option}\` ${problem}`);
  }
}

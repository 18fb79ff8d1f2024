/** An option of `LivekitHealthModule` can't work; the message names the option and the cure. */
export class LivekitHealthOptionsError extends Error {
  override readonly name = 'LivekitHealthOptionsError';

  constructor(option: string, problem: string) {
    super(`LivekitHealthModule: option \`${option}\` ${problem}`);
  }
}

/** Reads a variable's text. @throws WrongValue that says what is wrong and what would be right. */
export type Parser<T> = (text: string) => T;

/** A value that can't be used; the message says what would be right. */
export class WrongValue extends Error {
  override readonly name = 'WrongValue';
}

const DURATION_UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const SIZE_UNITS: Record<string, number> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** A duration such as `500ms`, `10s`, `15m`, `2h` or `30d`, in milliseconds. */
export const duration =
  (least: string, most: string): Parser<number> =>
  (text) =>
    between(
      quantity(text, DURATION_UNITS),
      quantity(least, DURATION_UNITS),
      quantity(most, DURATION_UNITS),
    ) ?? wrong(`a duration from ${least} to ${most}, such as 500ms, 10s, 15m, 2h or 30d`);

/** A size such as `512kb` or `1mb`, or a number of bytes; in bytes. */
export const size =
  (least: string, most: string): Parser<number> =>
  (text) =>
    between(
      quantity(/^\d+$/.test(text) ? `${text}b` : text.toLowerCase(), SIZE_UNITS),
      quantity(least, SIZE_UNITS),
      quantity(most, SIZE_UNITS),
    ) ?? wrong(`a size from ${least} to ${most}, such as 512kb or 1mb`);

/** A whole number. */
export const integer =
  (least: number, most: number): Parser<number> =>
  (text) =>
    (/^\d+$/.test(text) ? between(Number(text), least, most) : undefined) ??
    wrong(`a whole number from ${least} to ${most}`);

/** One of some words. */
export const oneOf =
  <T extends string>(...words: readonly T[]): Parser<T> =>
  (text) =>
    words.find((word) => word === text) ?? wrong(`one of ${words.join(', ')}`);

/** Several of some words, divided by commas. */
export const listOf =
  <T extends string>(...words: readonly T[]): Parser<T[]> =>
  (text) =>
    text.split(',').map((part) => {
      const word = words.find((known) => known === part.trim());
      return (
        word ?? wrong(`a list of ${words.join(', ')}, divided by commas (\`${part.trim()}\` is none of them)`)
      );
    });

/** A URL of one of some schemes. */
export const url =
  (...schemes: readonly string[]): Parser<string> =>
  (text) =>
    schemes.some((scheme) => text.startsWith(`${scheme}://`)) && URL.canParse(text)
      ? text
      : wrong(`a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);

/** A text that matches a pattern. */
export const matching =
  (pattern: RegExp, description: string): Parser<string> =>
  (text) =>
    pattern.test(text) ? text : wrong(description);

function quantity(text: string, units: Readonly<Record<string, number>>): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text) ?? [];
  return Number(amount) * (units[unit ?? ''] ?? Number.NaN);
}

const between = (value: number, least: number, most: number): number | undefined =>
  value >= least && value <= most ? value : undefined;

function wrong(expected: string): never {
  throw new WrongValue(`must be ${expected}`);
}

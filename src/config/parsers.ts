import { parseDuration, parseSize, wrong } from './units.js';

/** Reads a variable's text. @throws WrongValue saying what is expected. */
export type Parser<T> = (text: string) => T;

/** A duration such as `500ms`, `10s`, `15m`, `2h` or `30d`, in milliseconds. */
export const duration =
  (least: string, most: string): Parser<number> =>
  (text) =>
    between(parseDuration(text), parseDuration(least), parseDuration(most)) ??
    wrong(`a duration from ${least} to ${most}`);

/** A duration, or `false` for `none`. */
export const durationOrNone =
  (least: string, most: string): Parser<number | false> =>
  (text) => {
    if (text === 'none') return false;
    try {
      return duration(least, most)(text);
    } catch {
      return wrong(`a duration from ${least} to ${most}, such as 30d, or none`);
    }
  };

/** A size such as `512kb` or `1mb`, or a number of bytes; in bytes. */
export const size =
  (least: string, most: string): Parser<number> =>
  (text) =>
    between(parseSize(text), parseSize(least), parseSize(most)) ?? wrong(`a size from ${least} to ${most}`);

/** A whole number. */
export const integer =
  (least: number, most: number): Parser<number> =>
  (text) =>
    (/^\d+$/.test(text) ? between(Number(text), least, most) : undefined) ??
    wrong(`a whole number from ${least} to ${most}`);

/** A share: a number from 0 to 1. */
export const share: Parser<number> = (text) =>
  (/^\d*\.?\d+$/.test(text) ? between(Number(text), 0, 1) : undefined) ??
  wrong('a number from 0 to 1, such as 0.1');

/** One of some words. */
export const oneOf =
  <T extends string>(...words: readonly T[]): Parser<T> =>
  (text) =>
    words.find((word) => word === text) ?? wrong(`one of ${words.join(', ')}`);

/** Several of some words, separated by commas. */
export const listOf =
  <T extends string>(...words: readonly T[]): Parser<T[]> =>
  (text) => {
    const parts = text.split(',').flatMap((part) => part.trim() || []);
    const known = words.filter((word) => parts.includes(word));
    const unknown = parts.filter((part) => !(words as readonly string[]).includes(part));
    if (known.length > 0 && unknown.length === 0) return known;
    const told = unknown.map((part) => `; ${JSON.stringify(part)} is none of them`);
    return wrong(`a list of ${words.join(', ')}, divided by commas${told.join('')}`);
  };

/** Several texts of one kind, separated by commas. */
export const each =
  (isRight: (text: string) => boolean, description: string): Parser<string[]> =>
  (text) => {
    const parts = text.split(',').flatMap((part) => part.trim() || []);
    return parts.length > 0 && parts.every(isRight) ? parts : wrong(`${description}, divided by commas`);
  };

/** A URL of one of some schemes. */
export const url =
  (...schemes: readonly string[]): Parser<string> =>
  (text) =>
    new RegExp(`^(?:${schemes.join('|')})://[^\\s/]`).test(text) && URL.canParse(text)
      ? text
      : wrong(`a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')} and a host`);

/** A text that matches a pattern. */
export const matching =
  (pattern: RegExp, description: string): Parser<string> =>
  (text) =>
    pattern.test(text) ? text : wrong(description);

const between = (value: number, least: number, most: number): number | undefined =>
  value >= least && value <= most ? value : undefined;

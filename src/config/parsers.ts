import { parseDuration, parseSize, wrong } from './units.js';

/** Reads a variable's text. @throws WrongValue that says what would be right. */
export type Parser<T> = (text: string) => T;

/** A duration such as `500ms`, `10s`, `15m`, `2h` or `30d`, in milliseconds. */
export const duration =
  (least: string, most: string): Parser<number> =>
  (text) =>
    between(parseDuration(text), parseDuration(least), parseDuration(most)) ??
    wrong(`a duration from ${least} to ${most}`);

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

/** One of some words. */
export const oneOf =
  <T extends string>(...words: readonly T[]): Parser<T> =>
  (text) =>
    words.find((word) => word === text) ?? wrong(`one of ${words.join(', ')}`);

/** Several of some words, divided by commas; an unknown one is told the nearest known. */
export const listOf =
  <T extends string>(...words: readonly T[]): Parser<T[]> =>
  (text) => {
    const parts = text.split(',').flatMap((part) => part.trim() || []);
    const known = words.filter((word) => parts.includes(word));
    const unknown = parts.filter((part) => !(words as readonly string[]).includes(part));
    if (known.length > 0 && unknown.length === 0) return known;
    const cures = unknown.map(
      (part) => `; ${JSON.stringify(part)} is none: did you mean ${nearest(part, words)}?`,
    );
    return wrong(`a list of ${words.join(', ')}, divided by commas${cures.join('')}`);
  };

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

const between = (value: number, least: number, most: number): number | undefined =>
  value >= least && value <= most ? value : undefined;

function nearest(text: string, words: readonly string[]): string {
  const distance = (word: string): number => editDistance(text.toLowerCase(), word);
  const [first = ''] = words.filter((word) => word !== '*').sort((a, b) => distance(a) - distance(b));
  return first;
}

// Levenshtein's, a row of the table at a time.
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === b[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** A value that can't be used; the message says what is expected, and never holds the value. */
export class WrongValue extends Error {
  override readonly name = 'WrongValue';
}

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1024],
  ['mb', 1024 ** 2],
  ['gb', 1024 ** 3],
]);

/** A duration such as `500ms`, `10s`, `10m`, `1h` or `30d`, in milliseconds. @throws WrongValue */
export const parseDuration = (text: string): number =>
  quantity(text, DURATION_UNITS) ?? wrong('a duration such as 500ms, 10s, 10m, 1h or 30d');

/** A size such as `100b`, `512kb` or `1mb` (a kb is 1024 bytes), or a number of bytes; in bytes. @throws WrongValue */
export const parseSize = (text: string): number =>
  quantity(text.toLowerCase(), SIZE_UNITS) ?? wrong('a size such as 512kb or 1mb, or a number of bytes');

/** Refuses a value, saying what it must be. @throws WrongValue */
export function wrong(expected: string): never {
  throw new WrongValue(`must be ${expected}`);
}

function quantity(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const [, amount, unit = ''] = /^(\d+)([a-z]*)$/.exec(text) ?? [];
  const value = Number(amount) * (units.get(unit) ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : undefined;
}

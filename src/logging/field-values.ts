import type { FieldKind } from './log-lines.js';

/** What is logged in place of a value that its field may not hold. */
export const WITHHELD = '[withheld]';

const LONGEST_NAME = 200;
const LONGEST_TEXT = 2_000;

const WORD = /^[\w.:/$*>@[\]-]{1,200}$/;

/** A phone number as telephony writes it (E.164): LiveKit's dispatch rules put the caller's into a room's name. */
const PHONE_NUMBER = /\+\d{5,15}/g;

/** Any value, in the form that its kind of field may hold; undefined when there is none. */
export function fieldValue(kind: FieldKind, value: unknown): string | number | undefined {
  if (value == null) return undefined;
  if (kind === 'number') return typeof value === 'number' && Number.isFinite(value) ? value : WITHHELD;
  if (typeof value !== 'string') return WITHHELD;
  if (kind === 'word') return WORD.test(value) ? value : WITHHELD;
  if (kind === 'text') return value.slice(0, LONGEST_TEXT);
  const name = value.slice(0, LONGEST_NAME);
  return name.includes('+') ? name.replace(PHONE_NUMBER, '+…') : name;
}

/**
 * Text from outside as it is stored in columns: PostgreSQL refuses NUL and SQLite cuts the text there; neither keeps half
 * of a surrogate pair as it came.
 */
export const plainText = (text: string): string => text.replaceAll('\0', '\u2400').toWellFormed();

/** The same for a text that may be missing or empty, which becomes `null`. */
export const plainTextOrNull = (text: unknown): string | null =>
  typeof text === 'string' && text !== '' ? plainText(text) : null;

/** The beginning of a text, so many characters at most: a character that the cut goes through is replaced. */
export const cut = (text: string, longest: number): string => text.slice(0, longest).toWellFormed();

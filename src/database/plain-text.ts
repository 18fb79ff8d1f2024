/**
 * Text from outside as it is kept in columns: PostgreSQL refuses NUL and SQLite cuts there; neither keeps half of a
 * surrogate pair as it came.
 */
export const plainText = (text: string): string => text.replaceAll('\0', '\u2400').toWellFormed();

/** The same of what may be missing, or empty. */
export const plainTextOrNull = (text: unknown): string | null =>
  typeof text === 'string' && text !== '' ? plainText(text) : null;

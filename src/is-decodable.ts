/** How passwords are written in URLs. */
export const ENCODED = 'where a password has %25 for %, %40 for @, %2F for /, %3F for ? and %23 for #';

/** Whether what stands percent-encoded in a text can be decoded: `%` itself must be `%25`. */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

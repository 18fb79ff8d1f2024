/** Whether Redis's client can use this URL: `redis://user:password@host:6379/0` or `rediss://…`. */
export function isRedisUrl(url: string): boolean {
  if (!/^rediss?:\/\/[^/]/.test(url) || !URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return isDecodable(username + password);
}

/** Whether the percent-encoding of a text can be decoded: `%` itself must be `%25`. */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

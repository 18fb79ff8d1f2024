import { isDecodable } from '../../is-decodable.js';

/** Whether Redis's client can use this URL: `redis://user:password@host:6379/0` or `rediss://…`. */
export function isRedisUrl(url: string): boolean {
  if (!/^rediss?:\/\/[^/]/.test(url) || !URL.canParse(url)) return false;
  const { username, password, pathname } = new URL(url);
  // For a database that is not a number the client raises an error that nobody can catch, and the process ends.
  return isDecodable(username + password) && /^\/?\d*$/.test(pathname);
}

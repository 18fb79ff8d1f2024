import { ENCODED, isDecodable } from '../is-decodable.js';
import { DatabaseConfigurationError } from './errors.js';

/** Where the store is: an embedded SQLite file, SQLite in memory, or a PostgreSQL server. */
export type DatabaseLocation =
  { dialect: 'sqlite'; path: string; inMemory: boolean } | { dialect: 'postgres'; url: string };

/**
 * Parses a database URL: `file:./data/voice.sqlite`, `:memory:`, `postgres://…`.
 *
 * @throws DatabaseConfigurationError when it is none of these, without the URL, which may hold a password.
 */
export function parseDatabaseUrl(url: string): DatabaseLocation {
  const location = databaseLocation(url);
  if (location !== undefined) return location;
  throw new DatabaseConfigurationError(
    'the database URL is not understood: use `file:./data/voice.sqlite` (a path, without parameters), `:memory:` or ' +
      `\`postgres://user:password@host/database\`, ${ENCODED}`,
  );
}

/** The location that a database URL names; `undefined` when it is not one. */
export function databaseLocation(url: string): DatabaseLocation | undefined {
  if (url === ':memory:') return { dialect: 'sqlite', path: url, inMemory: true };
  if (isServerUrl(url)) return { dialect: 'postgres', url };
  // Parameters, which other drivers take, or a line end would become part of the file's name, as would `:memory:`.
  const path = /^file:(?:\/\/(?=\/))?(?!\s|:memory:)([^?\0]*[^?\0\s])$/.exec(url)?.[1];
  return path === undefined ? undefined : { dialect: 'sqlite', path, inMemory: false };
}

/** Whether PostgreSQL's client can find the server by this URL. */
export const isServerUrl = (text: string): boolean =>
  /^postgres(?:ql)?:\/\/./s.test(text) &&
  !/^\w+:\/\/[^/?]*\/[^?]*@|#/.test(text) && // a password with `/` or `#` ends there, and the rest would be shown
  URL.canParse(text.replace('@/', '@localhost/')) && // the parameters may name the host, or a socket
  isDecodable(text.split('?', 1).join());

/** A database URL as it may be shown: without user, password and parameters. */
export function toldUrl(url: string): string {
  if (!/^postgres(ql)?:/.test(url)) return url;
  if (!URL.canParse(url)) return 'postgres://…';
  const { host, pathname, search, hash } = new URL(url);
  // An `@` behind the host is that of a password with `/`, `?` or `#`, whose beginning was taken for the port.
  if (`${pathname}${search}${hash}`.includes('@')) return 'postgres://…';
  return `postgres://${host}${pathname}`;
}

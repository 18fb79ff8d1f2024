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
  if (url === ':memory:') return { dialect: 'sqlite', path: url, inMemory: true };
  if (/^postgres(ql)?:\/\//.test(url)) return { dialect: 'postgres', url };
  const path = /^file:(?:\/\/(?=\/))?(.+)$/s.exec(url)?.[1];
  if (path !== undefined) return { dialect: 'sqlite', path, inMemory: false };
  throw new DatabaseConfigurationError(
    'the database URL is not understood: use `file:./data/voice.sqlite`, `:memory:` or `postgres://user:password@host/database`',
  );
}

/** A database URL as it may be shown: without user, password and parameters. */
export function toldUrl(url: string): string {
  if (!/^postgres(ql)?:/.test(url)) return url;
  if (!URL.canParse(url)) return 'postgres://…';
  const { host, pathname } = new URL(url);
  return `postgres://${host}${pathname}`;
}

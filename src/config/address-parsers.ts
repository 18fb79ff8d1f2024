import { isIP } from 'node:net';
import { databaseLocation, isServerUrl } from '../database/database-url.js';
import { natsAddress } from '../event-log/engines/nats-address.js';
import { isRedisUrl } from '../event-log/engines/redis-url.js';
import { ENCODED, isDecodable } from '../is-decodable.js';
import type { Parser } from './parsers.js';
import { isSqliteFile } from './sqlite-file.js';
import { wrong } from './units.js';

const SERVER = `postgres://user:password@host/database, ${ENCODED}`;

/** The URL of a PostgreSQL server. */
export const serverUrl: Parser<string> = (text) => (isServerUrl(text) ? text : wrong(SERVER));

/** The URL of the store: an SQLite file, memory or a PostgreSQL server. */
export const databaseUrl: Parser<string> = (text) => {
  const location = databaseLocation(text);
  if (location === undefined) {
    return wrong(`file:./data/voice.sqlite (a path, without parameters), :memory: or ${SERVER}`);
  }
  if (location.dialect === 'postgres' || location.inMemory || isSqliteFile(location.path)) return text;
  return wrong(
    'the path of an SQLite database, or of a file that is not there yet, such as file:./data/voice.sqlite',
  );
};

/** The URL of a Redis server. */
export const redisUrl: Parser<string> = (text) =>
  isRedisUrl(text) ? text : wrong(`redis://user:password@host:6379/0 or rediss://…, ${ENCODED}`);

/** The URL of a NATS server, or of several. */
export const natsUrl: Parser<string> = (text) =>
  isDecodable(text) && natsAddress(text) !== undefined
    ? text
    : wrong(`nats://host:4222 or tls://host:4222, or several of them, ${ENCODED}`);

/** An address or a name to listen on. */
export const hostName: Parser<string> = (text) =>
  isIP(text) !== 0 || /^[\w-]+(?:\.[\w-]+)*\.?$/.test(text)
    ? text
    : wrong('an address or a host name, such as 0.0.0.0, ::1 or localhost');

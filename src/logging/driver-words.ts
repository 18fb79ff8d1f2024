import { isError } from '../tracing/spans.js';

/**
 * Classes of SQLSTATE with which PostgreSQL names nothing but databases, roles and servers in its message. Others quote
 * values: 22 (`invalid input syntax for type integer: "…"`), 42601 (`syntax error at or near "…"`).
 */
const TOLD_CLASSES = new Set(['08', '25', '28', '3D', '3F', '40', '53', '54', '55', '57', '58']);

/** What is said of our own tables, and may be said: of others, a part of the name may be a value that somebody put there. */
const OF_OURS =
  /^(?:no such table: livekit_\w+|relation "livekit_\w+" does not exist|permission denied for table livekit_\w+)$/;

/** What SQLite says of itself, the file or the disk. */
const SQLITE_TROUBLE = /^SQLITE_(?:BUSY|LOCKED|FULL|IOERR|CORRUPT|READONLY|CANTOPEN|NOTADB|NOMEM|AUTH)/;

/** What drivers say in words that are always the same. */
const ALWAYS_THE_SAME = new Set([
  'timeout exceeded when trying to connect',
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Client was closed and is not queryable',
  'Client has encountered a connection error and is not queryable',
  'Cannot use a pool after calling end on the pool',
  'Query read timeout',
  'Connection is closed.',
  'Command timed out',
]);

/** What a driver says of a database, a broker or a host, where its words hold nobody's data; else undefined. */
export function driverWords(error: Error): string | undefined {
  const { driverError, cause } = error as { driverError?: unknown; cause?: unknown };
  if (isError(driverError) && driverError !== error) return driverWords(driverError);
  const { message } = error;
  if (ALWAYS_THE_SAME.has(message) || OF_OURS.test(message)) return message;
  const { code, severity, syscall } = error as { code?: unknown; severity?: unknown; syscall?: unknown };
  if (typeof code !== 'string') {
    return isError(cause) && cause !== error ? driverWords(cause) : undefined;
  }
  if (typeof severity === 'string') return TOLD_CLASSES.has(code.slice(0, 2)) ? message : undefined;
  if (code.startsWith('SQLITE_')) {
    return SQLITE_TROUBLE.test(code) ? message : undefined;
  }
  // Node's, without the address, of which a part may be a secret.
  const isNodes = typeof syscall === 'string' && /^\w+$/.test(syscall) && /^E[A-Z_]+$/.test(code);
  return isNodes ? `${syscall} ${code}` : undefined;
}

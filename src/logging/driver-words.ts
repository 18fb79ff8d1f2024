import { isError } from '../tracing/spans.js';

/**
 * Classes of SQLSTATE whose messages in PostgreSQL name nothing but databases, roles and servers. Others quote
 * values: 22 (`invalid input syntax for type integer: "…"`), 42601 (`syntax error at or near "…"`).
 */
const TOLD_CLASSES = new Set(['08', '25', '28', '3D', '3F', '40', '53', '54', '55', '57', '58']);

/** Messages about our own tables, which may be logged: in those about others, part of the name may be somebody's value. */
const OF_OURS =
  /^(?:no such table: livekit_\w+|relation "livekit_\w+" does not exist|permission denied for table livekit_\w+)$/;

/** The codes with which SQLite reports on itself, its file or the disk. */
const SQLITE_TROUBLE = /^SQLITE_(?:BUSY|LOCKED|FULL|IOERR|CORRUPT|READONLY|CANTOPEN|NOTADB|NOMEM|AUTH)/;

/** Messages of drivers that never vary. */
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

/** A driver's message about a database, a broker or a host, if it holds nobody's data; else undefined. */
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
  // An error of Node's, without the address, part of which may be a secret.
  const isNodes = typeof syscall === 'string' && /^\w+$/.test(syscall) && /^E[A-Z_]+$/.test(code);
  return isNodes ? `${syscall} ${code}` : undefined;
}

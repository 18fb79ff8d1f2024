import { driverCode } from '../driver-code.js';

/** PostgreSQL's code for a write to a server that has become a standby: its clients must find the new primary. */
const READ_ONLY = '25006';

/** Whether a connection is useless after this error, though it was not closed: it must not go back to its pool. */
export const isConnectionLost = (error: unknown): boolean =>
  error instanceof Error && (error.message === 'Query read timeout' || driverCode(error) === READ_ONLY);

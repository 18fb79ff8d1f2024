/** The code of a driver's error, if what was thrown has one: PostgreSQL's SQLSTATE, or SQLite's result code. */
export const driverCode = (thrown: unknown): unknown => (thrown as { code?: unknown } | null)?.code;

/** Whether another process keeps the SQLite file busy: what was refused may succeed a little later. */
export const isBusy = (thrown: unknown): boolean => driverCode(thrown) === 'SQLITE_BUSY';

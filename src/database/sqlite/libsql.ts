import * as synchronous from 'libsql';
import * as promised from 'libsql/promise';

// Runners that compile modules to CommonJS (ts-jest) find a `default` in these only where the host has `esModuleInterop`.
const exportOf = <T>(module: { default: T }): T => module.default ?? (module as unknown as T);

/** libsql's connection to an SQLite file, in the interface of better-sqlite3. */
export const Database: typeof synchronous.default = exportOf(synchronous);

/** An instance of it. */
export type Database = synchronous.Database;

/** The same, with statements that run on threads of libsql's own. */
export const OffThreadDatabase: typeof promised.default = exportOf(promised);

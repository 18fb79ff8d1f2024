/** PostgreSQL's code of an error (SQLSTATE), if what was thrown has one. */
export const sqlStateOf = (thrown: unknown): unknown => (thrown as { code?: unknown } | null)?.code;

/** PostgreSQL's code of what went wrong (SQLSTATE), if that is what was thrown. */
export const sqlStateOf = (thrown: unknown): unknown => (thrown as { code?: unknown } | null)?.code;

/** What ails the store, in the driver's words: without the statement and its parameters, which are somebody's data. */
export function storeTrouble(error: unknown): string {
  const cause = (error as { driverError?: unknown } | null)?.driverError ?? error;
  if (!(cause instanceof Error)) return 'unknown';
  // Node's error of a host that has several addresses has no message.
  return cause.message || String((cause as { code?: unknown }).code ?? cause.name);
}

/** A due time that never comes: what waits behind a dead letter that blocks its room. */
export const BLOCKED = Number.MAX_SAFE_INTEGER;

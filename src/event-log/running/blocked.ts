/** A due time that never comes: what waits behind a dead letter that blocks its room. */
export const BLOCKED = Number.MAX_SAFE_INTEGER;

/** The SQL of when that is due once it waits no more: replays behind the others of their room, as they would be in any other. */
export const unblockedAt = (now: string): string => `${now} + CASE WHEN replay_no > 0 THEN 1 ELSE 0 END`;

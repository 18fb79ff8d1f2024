/** A due time that never comes: what waits behind a dead letter that blocks its room. */
export const BLOCKED = Number.MAX_SAFE_INTEGER;

/** The SQL of when what waits in a room until some time is due: replays come behind the others. */
export const dueInRoom = (time: string): string => `${time} + CASE WHEN replay_no > 0 THEN 1 ELSE 0 END`;

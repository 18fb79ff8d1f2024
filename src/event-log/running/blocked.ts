/** A due time that never comes, of deliveries that wait behind a dead letter that blocks their room. */
export const BLOCKED = Number.MAX_SAFE_INTEGER;

/** The SQL of the due time of deliveries that wait in a room until this time: replays come after the others. */
export const dueInRoom = (time: string): string => `${time} + CASE WHEN replay_no > 0 THEN 1 ELSE 0 END`;

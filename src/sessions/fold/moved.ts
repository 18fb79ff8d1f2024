import type { ConnectionFact, RoomFacts } from '../facts/facts.js';

/** How much earlier than its room a join may seem to be: older servers tell whole seconds, and clocks differ, milliseconds. */
const SEEMS_EARLIER = 1_000;

/**
 * The facts of a room without the joins that were elsewhere: whoever is moved here from another room (`MoveParticipant`) keeps the
 * time at which it joined that one (`livekit/livekit` `MoveToRoom`). When it came here, the first event about it tells.
 */
export function withJoinsHere(facts: RoomFacts): RoomFacts {
  const { connections } = facts;
  const openedAt = facts.room.openedAt ?? -Infinity;
  const wasElsewhere = ({ joinedAt }: ConnectionFact): boolean =>
    joinedAt !== null && joinedAt < openedAt - SEEMS_EARLIER;
  if (!connections.some(wasElsewhere)) return facts;
  return {
    ...facts,
    connections: connections.map((one) => (wasElsewhere(one) ? { ...one, joinedAt: null } : one)),
  };
}

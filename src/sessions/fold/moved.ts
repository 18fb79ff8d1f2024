import type { ConnectionFact, RoomFacts } from '../facts/facts.js';

/** How much earlier than its room a join may seem to be: older servers tell whole seconds, and clocks differ, milliseconds. */
const SEEMS_EARLIER = 1_000;

/**
 * The facts of a room without the joins that were elsewhere: whoever is moved here from another room (`MoveParticipant`) keeps the
 * time at which it joined that one (`livekit/livekit` `MoveToRoom`). When it came here, the first event about it tells.
 */
export function withJoinsHere({ room, connections, egresses }: RoomFacts): RoomFacts {
  const { openedAt } = room;
  const isElsewhere = ({ joinedAt }: ConnectionFact): boolean =>
    openedAt !== null && joinedAt !== null && joinedAt < openedAt - SEEMS_EARLIER;
  return {
    room,
    connections: connections.map((one) => (isElsewhere(one) ? { ...one, joinedAt: null } : one)),
    egresses,
  };
}

import type { ReconciledEventName } from '../../livekit-webhook/livekit-events.js';
import type { EgressFact, RoomFacts } from '../facts/facts.js';
import type { ReconciledEvent } from './reconciled-event.js';
import { isRecent, type RoomAnswer } from './room-answer.js';
import type { ToldEgress } from './told.js';

/** The egresses of a room (`null` if nothing is known of it) that LiveKit reports as further on than we know. */
export function missingEgresses(
  known: RoomFacts | null,
  { project, at, egresses, room }: RoomAnswer,
): ReconciledEvent[] {
  if (known === null && room === null) return []; // an egress alone makes no session
  const facts = new Map((known?.egresses ?? []).map((one) => [one.egressId, one]));
  return egresses
    .filter((egress) => isFurther(egress, facts.get(egress.egressId)) && !isRecent(egress.changedAt, at))
    .map(({ egressId, roomSid, roomName, progress, json }) => ({
      ...(EVENTS[progress] as (typeof EVENTS)[number]),
      project,
      room: { sid: roomSid, name: known?.room.roomName ?? room?.name ?? roomName },
      subject: egressId,
      egressInfo: json,
      at,
    }));
}

// `livekit/livekit pkg/service/ioservice.go`: an update is sent when it is active, and when it is ending.
const EVENTS: readonly { name: ReconciledEventName; fact: string }[] = [
  { name: 'egress_started', fact: 'started' },
  { name: 'egress_updated', fact: 'active' },
  { name: 'egress_updated', fact: 'ending' },
  { name: 'egress_ended', fact: 'ended' },
];

const isFurther = ({ progress }: ToldEgress, known: EgressFact | undefined): boolean =>
  known === undefined || progress > known.report.progress;

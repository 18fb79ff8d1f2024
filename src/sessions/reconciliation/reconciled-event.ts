import type { EventDraft } from '../../event-log/append/event-appender.js';
import type { ReconciledEventName } from '../../livekit-webhook/livekit-events.js';
import type { RoomFact } from '../facts/facts.js';

/** A LiveKit event that LiveKit did not send: what it said when asked, or what follows from its silence. */
export interface ReconciledEvent {
  /** The name that the webhook would have had. */
  name: ReconciledEventName;
  project: string;
  /** As LiveKit describes it (protojson): `sid` and `name` at least. */
  room: { sid: string; name: string | null } & Record<string, unknown>;
  /** Whom or what it is about: the sid of the room or of a participant, or the id of an egress. */
  subject: string;
  /** What it says, in a word; the same word about the same subject is the same event. */
  fact: string;
  participant?: object;
  egressInfo?: object;
  /** Why a room is taken for ended; by default, LiveKit no longer knew it (`gone`). */
  because?: 'gone' | 'empty';
  /** When it was reported; for an end, the moment by which it had come. UTC milliseconds. */
  at: number;
}

/** The word for a room's end: a different one each time, since an inferred end may have been refuted. */
export function finishedFact({ finishes }: RoomFact): string {
  const before = finishes.filter(({ inferred }) => inferred).length;
  return before === 0 ? 'finished' : `finished-${before + 1}`;
}

/** Its id in the log. */
export const reconciledId = ({ subject, fact }: Pick<ReconciledEvent, 'subject' | 'fact'>): string =>
  `reconciled:${subject}:${fact}`;

/** The event as it is appended to the log: like the webhook's, with the id `reconciled:<subject>:<fact>`. */
export function reconciledDraft(event: ReconciledEvent): EventDraft {
  const { name, project, room, participant, egressInfo, because, at } = event;
  const id = reconciledId(event);
  return {
    kind: 'reconciled',
    name,
    id,
    project,
    room,
    occurredAt: at,
    data: {
      event: name,
      room,
      ...(participant && { participant }),
      ...(egressInfo && { egressInfo }),
      ...(because && { because }),
      id,
      createdAt: String(Math.floor(at / 1_000)),
    },
  };
}

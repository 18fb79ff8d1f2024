import type { EventDraft } from '../../event-log/append/host-events.js';
import type { ReconciledEventName } from '../../livekit-webhook/livekit-events.js';
import type { RoomFact } from '../facts/facts.js';

/** A LiveKit event that LiveKit did not send: what it said when it was asked, or what follows from its silence. */
export interface ReconciledEvent {
  /** The name of the event that a webhook would have had. */
  name: ReconciledEventName;
  project: string;
  /** As LiveKit tells it (protojson): `sid` and `name` at least. */
  room: { sid: string; name: string | null } & Record<string, unknown>;
  /** Of whom, or of what: the sid of the room, of a participant, the id of an egress. */
  subject: string;
  /** What is said of it, in a word; twice of one subject it is twice the same event. */
  fact: string;
  participant?: object;
  egressInfo?: object;
  /** Of a room's end: why it is taken for ended; LiveKit did not know it any more (`gone`) by default. */
  because?: 'gone' | 'empty';
  /** When it was told; of an end, the moment by which it had come. UTC milliseconds. */
  at: number;
}

/** The word for a room's end: another one each time, since an end that was inferred may have been refuted. */
export function finishedFact({ finishes }: RoomFact): string {
  const before = finishes.filter(({ inferred }) => inferred).length;
  return before === 0 ? 'finished' : `finished-${before + 1}`;
}

/** What names it in the log. */
export const reconciledId = ({ subject, fact }: Pick<ReconciledEvent, 'subject' | 'fact'>): string =>
  `reconciled:${subject}:${fact}`;

/** The event as the log takes it: it looks like the webhook's, and `reconciled:<subject>:<fact>` is its id. */
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

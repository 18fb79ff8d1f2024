import { HostEventError } from '../errors.js';
import { APP_ID, LONGEST_ID, LONGEST_NAME } from '../events.js';
import type { EventDraft } from './event-appender.js';

/** The options of a host's event, besides its name and data. */
export type HostEventOptions = Pick<EventDraft, 'id' | 'project' | 'room' | 'occurredAt'>;

/**
 * The event that a host adds.
 *
 * @throws HostEventError when it can't be stored, or has a name of ours.
 */
export function hostDraft(name: string, data: unknown, options: HostEventOptions): EventDraft {
  const { id, project, room, occurredAt } = options;
  requireAtMost(LONGEST_ID, { id, project, 'room.sid': room?.sid });
  requireAtMost(LONGEST_NAME, { 'room.name': room?.name });
  if (id === '')
    throw new HostEventError(
      "an event's `id` can't be empty, or all that have none would be repeats of one: leave it out, and it gets one of its own",
    );
  if (occurredAt != null && new Date(occurredAt).getTime() !== occurredAt)
    throw new HostEventError("an event's `occurredAt` is a moment: a whole number of UTC milliseconds");
  // With a prefix: if it equalled an id of LiveKit's, that webhook would be taken for a repeat of this event.
  const own = id == null ? undefined : APP_ID + id;
  // Nothing else: a host may give a record of its own, with a `kind` that means something to it alone.
  return { kind: 'app', name: hostName(name), data, id: own, project, room, occurredAt };
}

// PostgreSQL could store longer ones, and not index them: no event behind such a one would ever be routed.
function requireAtMost(longest: number, texts: Record<string, string | null | undefined>): void {
  for (const [option, text] of Object.entries(texts)) {
    if (text != null && text.length > longest)
      throw new HostEventError(`an event's \`${option}\` is at most ${longest} characters long`);
  }
}

function hostName(name: unknown): string {
  if (typeof name !== 'string' || !/^[\w.:/-]{1,200}$/.test(name))
    throw new HostEventError('an event name is 1 to 200 letters, digits, `_`, `.`, `:`, `/` and `-`');
  if (/^(livekit|session|delivery)\./.test(name)) {
    throw new HostEventError(
      `the event name \`${name}\` is not yours to give: begin it with something else than \`${name.split('.', 1)[0]}.\``,
    );
  }
  return name;
}

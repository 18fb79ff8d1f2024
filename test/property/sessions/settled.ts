import { factsOf, type FactSource } from '../../../src/sessions/facts/extract.js';
import type { RoomFacts } from '../../../src/sessions/facts/facts.js';
import { merged } from '../../../src/sessions/projection/fact-store.js';
import { dispositionOf } from '../../../src/sessions/fold/disposition.js';
import { foldRoom, type SessionFold } from '../../../src/sessions/fold/fold.js';
import type { Session } from '../../../src/sessions/session.js';
import { toSession } from '../../../src/sessions/to-session.js';
import { mergedFacts } from '../../unit/sessions/facts.js';
import type { Webhook } from './model.js';

/** A webhook as the projection reads it. */
const sourceOf = (webhook: Webhook): FactSource => ({
  source: 'default',
  eventId: webhook.id,
  name: webhook.event,
  occurredAt: Number(webhook.createdAt) * 1_000,
  body: webhook,
});

/** The sessions that webhooks make once everything has settled, by room sid and segment; recordings by their id. */
export const settledSessions = (webhooks: readonly Webhook[]): Session[] =>
  mergedFacts(webhooks.map(sourceOf))
    .map(closed)
    .toSorted((a, b) => (a.room.roomSid < b.room.roomSid ? -1 : 1))
    .flatMap(foldRoom)
    .map(settled);

/** A room that is found empty is closed, once; it must stay so. */
function closed(facts: RoomFacts): RoomFacts {
  const closesAt = foldRoom(facts).at(-1)?.closesAt ?? null;
  if (closesAt === null) return facts;
  const { source, roomSid, roomName } = facts.room;
  const body = { room: { sid: roomSid, name: roomName }, because: 'empty' };
  const finish = { source, eventId: 'presumed', name: 'room_finished', occurredAt: closesAt, body };
  return merged([facts], factsOf({ ...finish, reconciled: true })).after[0] as RoomFacts;
}

function settled(fold: SessionFold): Session {
  const disposition = dispositionOf(fold);
  const session = toSession(fold, {
    sessionId: fold.roomName,
    state: fold.state === 'active' ? 'active' : 'settled',
    disposition,
    dispositionSource: disposition && 'rules',
    metadata: {},
    unmatched: null,
    idKept: null,
    settlesAt: null,
    revision: 0,
  });
  const recordings = session.recordings.toSorted((a, b) =>
    (a.egressId ?? '') < (b.egressId ?? '') ? -1 : 1,
  );
  return { ...session, recordings };
}

import { backlog } from '../support/backlog.js';
import { bytes } from '../../src/database/sql.js';
import type { Session } from '../../src/sessions/session.js';
import type { ApplicationProcess } from '../support/application-process.js';
import { sqlQuery } from '../support/database.js';
import { until } from '../support/until.js';
import type { CallBody, CallEvent } from './calls.js';
import type { Sender } from './sender.js';

/** What an audit found wrong; nothing is in a sound store. */
export interface Findings {
  /** Answered 200, and not in the store with their bytes. */
  lost: string[];
  /** In the store more than once, or accepted more than once. */
  doubled: string[];
  /** In the store, and never sent. */
  foreign: string[];
}

/** Compares a store, read from outside, with what its senders were told. */
export async function auditStore(databaseUrl: string, sender: Sender): Promise<Findings> {
  if (databaseUrl.startsWith('file:')) {
    expect(await sqlQuery(databaseUrl, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  }
  const rows = await storedEvents(databaseUrl);
  const byId = new Map(rows.map((row) => [row.event_id, row]));
  const known = new Set(sender.all.map(({ id }) => id));
  const accepted = sender.answers.filter(({ word }) => word === 'accepted').map(({ event }) => event.id);
  return {
    lost: ids(sender.acknowledged.filter(({ id, body }) => !byId.get(id)?.body.equals(body))),
    doubled: [...repeated(rows.map((row) => row.event_id)), ...repeated(accepted)],
    foreign: [...byId.keys()].filter((id) => !known.has(id)),
  };
}

/** Compares every session that the application tells with what its stored events say. */
export async function auditSessions(application: ApplicationProcess, databaseUrl: string): Promise<void> {
  await until('every event to be in its session', async () => (await backlog(databaseUrl)) === 0, 180_000);
  const rows = await storedEvents(databaseUrl);
  const rooms = new Map<string, CallBody[]>();
  for (const { body } of rows) {
    const event = JSON.parse(body.toString()) as CallBody;
    rooms.set(event.room.sid, [...(rooms.get(event.room.sid) ?? []), event]);
  }
  const told = (await sessionsOf(application)).map(essence).sort(byRoom);
  expect(told).toEqual([...rooms.values()].map(sessionSaidBy).sort(byRoom));
}

/** A webhook as it is stored. */
export interface StoredEvent {
  event_id: string;
  body: Buffer;
}

/** Every webhook that is stored, in the order of the log; without bytes where those are not there. */
export async function storedEvents(databaseUrl: string): Promise<StoredEvent[]> {
  const rows = await sqlQuery<{ event_id: string; raw: Buffer | ArrayBuffer | null }>(
    databaseUrl,
    `SELECT e.event_id, b.raw FROM livekit_events e LEFT JOIN livekit_bodies b ON b.event_seq = e.seq
     WHERE e.kind = 'livekit' ORDER BY e.seq`,
  );
  return rows.map(({ event_id, raw }) => ({ event_id, body: raw === null ? Buffer.alloc(0) : bytes(raw) }));
}

/** Every session that an application tells, newest first. */
export async function sessionsOf(application: ApplicationProcess): Promise<Session[]> {
  const sessions: Session[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const { json } = await application.get(`/voice/sessions?limit=200&cursor=${cursor}`);
    const page = json as { sessions: Session[]; nextCursor: string | null };
    sessions.push(...page.sessions);
    cursor = page.nextCursor;
  }
  return sessions;
}

/** Who was in a call, and when, as far as it was told. */
interface Essence {
  roomSid: string;
  roomName: string | null;
  state: string;
  startedAt: string | null;
  endedAt: string | null;
  /** `identity, participant sid, joined, left, reason` of each connection. */
  connections: string[];
}

const essence = ({ roomSid, roomName, state, startedAt, endedAt, participants }: Session): Essence => ({
  roomSid,
  roomName,
  state: state === 'active' ? 'active' : 'ended',
  startedAt,
  endedAt,
  connections: participants
    .flatMap(({ identity, connections }) =>
      connections.map(({ participantSid, joinedAt, leftAt, reason, inferred }) =>
        [identity, participantSid, joinedAt, inferred.includes('leftAt') ? null : leftAt, reason].join(', '),
      ),
    )
    .sort(),
});

// Told from the bodies alone, without the code under test.
function sessionSaidBy(events: readonly CallBody[]): Essence {
  const room = (events[0] as CallBody).room;
  const finish = events.find(({ event }) => event === 'room_finished');
  const participants = new Map(events.flatMap(({ participant }) => participant ?? []).map((p) => [p.sid, p]));
  return {
    roomSid: room.sid,
    roomName: room.name,
    state: finish === undefined ? 'active' : 'ended',
    startedAt: iso(Number(room.creationTimeMs)),
    endedAt: finish === undefined ? null : iso(Number(finish.createdAt) * 1_000),
    connections: [...participants.values()]
      .map(({ sid, identity, joinedAtMs }) => {
        const leave = events.find(
          ({ event, participant }) => event === 'participant_left' && participant?.sid === sid,
        );
        const leftAt = leave && iso(Math.max(Number(leave.createdAt) * 1_000, Number(joinedAtMs)));
        return [identity, sid, iso(Number(joinedAtMs)), leftAt, leave?.participant?.disconnectReason].join(
          ', ',
        );
      })
      .sort(),
  };
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

const ids = (events: readonly CallEvent[]): string[] => events.map(({ id }) => id);

const byRoom = (a: Essence, b: Essence): number => (a.roomSid < b.roomSid ? -1 : 1);

/** Those that stand there more than once. */
export const repeated = (values: readonly string[]): string[] => {
  const seen = new Set<string>();
  return values.filter((value) => seen.has(value) || (seen.add(value), false));
};

import type { EntityManager, SelectQueryBuilder } from 'typeorm';
import { ConnectionEntity } from '../database/entities/connection.entity.js';
import { RoomEntity } from '../database/entities/room.entity.js';
import { SessionEntity } from '../database/entities/session.entity.js';
import { dialectOf } from '../database/sql.js';
import { plainText } from '../database/plain-text.js';
import { oneOf, strangeCursor, timeOf } from './filter-values.js';
import { SESSION_STATES, type SessionState } from './session.js';

/** Which sessions to list. All of the given conditions must hold. */
export interface SessionsFilter {
  state?: SessionState | undefined;
  sessionId?: string | undefined;
  /** The name of their room, or its sid. */
  room?: string | undefined;
  /** Somebody with this identity was connected. */
  identity?: string | undefined;
  /** A telephone call from or to this number. */
  number?: string | undefined;
  /** They started then or later; where the start is unknown, the earliest time known counts. */
  from?: Date | undefined;
  /** They started before then. */
  to?: Date | undefined;
  /** Whether they belong to nothing that the backend knows. */
  unmatched?: boolean | undefined;
  /** Of this project only; of all by default. */
  project?: string | undefined;
  /** Sessions on a page, 1 to 200, 50 by default. */
  limit?: number | undefined;
  /** `nextCursor` of the page before; none, or `null`, for the first. */
  cursor?: string | null | undefined;
}

/** The query for sessions that meet a filter, the newest first. @throws SessionRequestError when the filter is invalid. */
export async function sessionsQuery(
  manager: EntityManager,
  filter: SessionsFilter,
): Promise<SelectQueryBuilder<SessionEntity>> {
  const { state, sessionId, room, identity, number, from, to, unmatched, project, cursor } = filter;
  const query = manager
    .createQueryBuilder(SessionEntity, 's')
    .orderBy('s.beganAt', 'DESC')
    .addOrderBy('s.pk', 'DESC');
  if (state !== undefined)
    query.andWhere('s.state = :state', { state: oneOf('state', SESSION_STATES, state) });
  if (project !== undefined) query.andWhere('s.source = :project', { project: plainText(project) });
  if (sessionId !== undefined)
    query.andWhere('s.sessionId = :sessionId', { sessionId: plainText(sessionId) });
  if (room !== undefined) await whereOneOf(manager, query, RoomEntity, ['room_name', 'room_sid'], room);
  if (identity !== undefined) await whereOneOf(manager, query, ConnectionEntity, ['identity'], identity);
  if (number !== undefined) await whereOneOf(manager, query, ConnectionEntity, NUMBERS, number);
  if (from !== undefined) query.andWhere('s.beganAt >= :from', { from: timeOf('from', from) });
  if (to !== undefined) query.andWhere('s.beganAt < :to', { to: timeOf('to', to) });
  if (unmatched !== undefined) query.andWhere(`s.unmatched IS ${unmatched ? 'NOT ' : ''}NULL`);
  if (cursor != null && cursor !== '') {
    // Compared as a pair, or the index would be read from its beginning.
    query.andWhere('(s.began_at, s.pk) < (:beganAt, :pk)', positionOf(cursor));
  }
  return query;
}

const NUMBERS = ['phone_number', 'trunk_phone_number'];

/** With more matching rows than this, a page of the newest sessions is found sooner by testing sessions in order. */
const MANY = 1_000;

/**
 * Requires a room, or a connection, that has a text. If few rows match, their sessions are looked up, and sorted; but an
 * agent, or one of our numbers, may have been in every room. PostgreSQL chooses by its statistics; SQLite has to be told.
 */
async function whereOneOf(
  manager: EntityManager,
  query: SelectQueryBuilder<SessionEntity>,
  entity: typeof RoomEntity | typeof ConnectionEntity,
  columns: readonly string[],
  text: string,
): Promise<void> {
  const value = plainText(text);
  const name = columns.join('_or_');
  const has = (sign = '') => `(${columns.map((column) => `${sign}x.${column} = :${name}`).join(' OR ')})`;
  const isOf = (session: string) =>
    `x.source = ${session}.source AND x.room_sid = ${session}.room_sid${entity === ConnectionEntity ? ` AND ${isWithin(session)}` : ''}`;
  const beyond = manager
    .createQueryBuilder(entity, 'x')
    .select('1', 'one')
    .where(has(), { [name]: value });
  const matching = query.subQuery().from(entity, 'x');
  if (dialectOf(manager) === 'sqlite' && (await beyond.limit(1).offset(MANY).getRawOne()) !== undefined) {
    // The sign keeps SQLite from searching the column's index again for each session.
    matching.select('1').where(isOf('s')).andWhere(has('+'));
    query.andWhere(`EXISTS ${matching.getQuery()}`, { [name]: value });
  } else {
    matching.select('t.pk').innerJoin(SessionEntity, 't', isOf('t')).where(has());
    query.andWhere(`s.pk IN ${matching.getQuery()}`, { [name]: value });
  }
}

/** SQL: whether the connection `x` was one, and no failed attempt, in this session of its room, as the fold divides them. */
function isWithin(session: string): string {
  const cameAt = 'coalesce(x.joined_at, x.seen_at)';
  return `x.connected AND (${session}.segment = 0 OR ${cameAt} >= ${session}.began_at)
    AND NOT EXISTS (SELECT 1 FROM livekit_sessions n WHERE n.source = ${session}.source AND n.room_sid = ${session}.room_sid
      AND n.segment = ${session}.segment + 1 AND n.began_at <= ${cameAt})`;
}

/** The cursor for what follows a session. */
export const cursorOf = ({ beganAt, pk }: SessionEntity): string =>
  Buffer.from(`${beganAt}:${pk}`).toString('base64url');

function positionOf(cursor: string): { beganAt: number; pk: number } {
  const [, beganAt, pk] = /^(\d{1,16}):(\d{1,10})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  // Our keys have 32 bits: PostgreSQL would fail on more.
  if (beganAt === undefined || pk === undefined || Number(pk) >= 2 ** 31) throw strangeCursor();
  return { beganAt: Number(beganAt), pk: Number(pk) };
}

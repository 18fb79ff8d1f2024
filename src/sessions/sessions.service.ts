import { BadRequestException, Injectable } from '@nestjs/common';
import { Brackets, type EntityManager, type SelectQueryBuilder } from 'typeorm';
import { ConnectionEntity } from '../database/entities/connection.entity.js';
import { SessionEntity } from '../database/entities/session.entity.js';
import { EventStore } from '../database/event-store.js';
import { FactStore } from './fact-store.js';
import { countedKind, type CountedKind, foldRoom } from './facts/fold.js';
import { plain } from './facts/protojson.js';
import type { Session, SessionState } from './session.js';
import { toSession } from './to-session.js';

/** Which sessions to tell. All of the given conditions must hold. */
export interface SessionsFilter {
  state?: SessionState;
  sessionId?: string;
  /** Somebody of this identity was connected. */
  identity?: string;
  /** A telephone call from or to this number. */
  number?: string;
  /** Sessions on a page, 50 unless told. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string;
}

/** Some sessions, the newest first, and where the next ones begin. */
export interface SessionsPage {
  sessions: Session[];
  nextCursor: string | null;
}

/** Answers questions about sessions, from what is committed. */
@Injectable()
export class SessionsService {
  constructor(private readonly store: EventStore) {}

  /** Sessions, the newest first. */
  list(filter: SessionsFilter = {}): Promise<SessionsPage> {
    const limit = filter.limit ?? 50;
    return this.store.read(async (manager) => {
      const rows = await filtered(manager, filter)
        .limit(limit + 1)
        .getMany();
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        sessions: await told(manager, page),
        nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null,
      };
    });
  }

  /** How many sessions have begun and not ended. */
  activeCount(): Promise<number> {
    return this.store.read((manager) => manager.countBy(SessionEntity, { state: 'active' }));
  }

  /** How many participants are connected in active sessions, by kind. */
  activeParticipants(): Promise<Record<CountedKind, number>> {
    return this.store.read(async (manager) => {
      const rows = await manager
        .createQueryBuilder(ConnectionEntity, 'c')
        .innerJoin(SessionEntity, 's', 's.source = c.source AND s.roomSid = c.roomSid')
        .select('c.kind', 'kind')
        .addSelect('COUNT(DISTINCT c.identity)', 'count')
        .where("s.state = 'active' AND c.connected AND c.leave IS NULL")
        .groupBy('c.kind')
        .getRawMany<{ kind: string | null; count: number | string }>();
      const counts = { standard: 0, agent: 0, sip: 0 };
      for (const { kind, count } of rows) {
        const counted = countedKind(kind);
        if (counted !== null) counts[counted] += Number(count);
      }
      return counts;
    });
  }
}

function filtered(manager: EntityManager, filter: SessionsFilter): SelectQueryBuilder<SessionEntity> {
  const query = manager
    .createQueryBuilder(SessionEntity, 's')
    .orderBy('s.beganAt', 'DESC')
    .addOrderBy('s.pk', 'DESC');
  if (filter.state !== undefined) query.andWhere('s.state = :state', { state: filter.state });
  if (filter.sessionId !== undefined)
    query.andWhere('s.sessionId = :sessionId', { sessionId: plain(filter.sessionId) });
  if (filter.identity !== undefined) {
    query.andWhere(inRoomsWith(query, 'c.identity = :identity'), { identity: plain(filter.identity) });
  }
  if (filter.number !== undefined) {
    const either = 'c.phone_number = :number OR c.trunk_phone_number = :number';
    query.andWhere(inRoomsWith(query, either), { number: plain(filter.number) });
  }
  if (filter.cursor !== undefined) {
    const { beganAt, pk } = positionOf(filter.cursor);
    query.andWhere(
      new Brackets((older) =>
        older
          .where('s.beganAt < :beganAt', { beganAt })
          .orWhere('s.beganAt = :beganAt AND s.pk < :pk', { beganAt, pk }),
      ),
    );
  }
  return query;
}

// Asked so, and not with EXISTS, the few connections are found first, by their index, and not each session tried.
const inRoomsWith = (query: SelectQueryBuilder<SessionEntity>, condition: string): string =>
  `(s.source, s.room_sid) IN ${query
    .subQuery()
    .select(['c.source', 'c.room_sid'])
    .from(ConnectionEntity, 'c')
    .where(condition)
    .getQuery()}`;

async function told(manager: EntityManager, rows: readonly SessionEntity[]): Promise<Session[]> {
  const rooms = await new FactStore(manager).load(rows);
  const folds = rooms.flatMap(({ room, connections }) => foldRoom(room, connections));
  return rows.flatMap((row) => {
    const fold = folds.find(
      ({ source, roomSid, segment }) =>
        source === row.source && roomSid === row.roomSid && segment === row.segment,
    );
    return fold === undefined ? [] : [toSession(fold, row)];
  });
}

const cursorOf = ({ beganAt, pk }: SessionEntity): string =>
  Buffer.from(`${beganAt}:${pk}`).toString('base64url');

function positionOf(cursor: string): { beganAt: number; pk: number } {
  const [, beganAt, pk] = /^(\d{1,15}):(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (beganAt === undefined || pk === undefined) {
    throw new BadRequestException(
      '`cursor` is not one of ours: give the `nextCursor` of the page before, as it was',
    );
  }
  return { beganAt: Number(beganAt), pk: Number(pk) };
}

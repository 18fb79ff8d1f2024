import { Injectable } from '@nestjs/common';
import { type EntityManager, LessThanOrEqual } from 'typeorm';
import { lockNames } from '../../database/advisory-locks.js';
import { ExpectationEntity } from '../../database/entities/expectation.entity.js';
import { EntityRows } from '../../database/entity-rows.js';
import { EventStore } from '../../database/event-store.js';
import { rowsOf, SqlParameters } from '../../database/sql.js';
import { plainText } from '../../database/plain-text.js';
import type { ErasedSubject } from '../../event-log/retention/erasure.js';
import { roomKey } from '../projection/fact-store.js';
import { tells } from '../facts/erase.js';
import type { SessionFold } from '../fold/fold.js';
import type { SessionRow } from '../projection/session-row.js';

/** A session that an expectation may match. */
export interface Candidate {
  fold: SessionFold;
  /** The ids it may have: the host's `sessionId` of it, and its id until now. */
  sessionIds: readonly string[];
}

/** What an expectation says about the session it was matched with. */
export type Match = Pick<SessionRow, 'sessionId' | 'metadata'>;

/** Rows per query. */
const BATCH = 500;

/** The SQL condition that the session of an expectation `e` is over: tokens for one that goes on name the room it was expected in. */
const IS_OVER = `NOT EXISTS (
  SELECT 1 FROM livekit_sessions s WHERE s.source = e.source AND s.room_sid = e.room_sid AND s.state = 'active')`;

/** Stores expectations. Matching or making one requires the locks on all names by which it could be matched. */
@Injectable()
export class ExpectationStore {
  constructor(private readonly store: EventStore) {}

  /** Matches sessions with expectations, by session id or by the name of their room. */
  async match(manager: EntityManager, candidates: readonly Candidate[]): Promise<Map<SessionFold, Match>> {
    const matches = new Map<SessionFold, Match>();
    if (candidates.length === 0) return matches;
    await lockNames(manager, 'session', candidates.flatMap(namesOf));
    const expected = await this.expectedOf(manager, candidates);
    for (const { fold, sessionIds } of candidates) {
      const match = expected.find(
        (one) =>
          one.state === 'awaiting' &&
          one.source === fold.source &&
          (sessionIds.includes(one.sessionId) || (one.roomName !== null && one.roomName === fold.roomName)),
      );
      if (match === undefined) continue;
      const { source, sessionId, expectedAt, metadata } = match;
      // Its id need not be among the names that are locked: it may have been withdrawn or replaced meanwhile.
      const still = { source, sessionId, expectedAt, state: 'awaiting' as const };
      const matched = { state: 'matched' as const, roomSid: fold.roomSid };
      const { affected } = await manager.update(ExpectationEntity, still, matched);
      if (affected === 1) matches.set(fold, { sessionId, metadata });
      Object.assign(match, matched); // it matches no further session
    }
    return matches;
  }

  /** The expectation of a session id; `null` if there is none. */
  find(manager: EntityManager, source: string, sessionId: string): Promise<ExpectationEntity | null> {
    return manager.findOneBy(ExpectationEntity, { source, sessionId });
  }

  /** Stores an expectation, in place of any earlier one of its session id. */
  async put(manager: EntityManager, expected: ExpectationEntity): Promise<void> {
    await manager.upsert(ExpectationEntity, expected as never, ['source', 'sessionId']);
  }

  /** Deletes an expectation, if its session has not come. */
  async remove(manager: EntityManager, source: string, sessionId: string): Promise<void> {
    await manager.delete(ExpectationEntity, { source, sessionId, state: 'awaiting' });
  }

  /** Expires those that were due by then, `limit` at most. @returns them. */
  async expire(manager: EntityManager, by: number, limit: number): Promise<ExpectationEntity[]> {
    const late = await manager.find(ExpectationEntity, {
      where: { state: 'awaiting', expiresAt: LessThanOrEqual(by) },
      order: { expiresAt: 'ASC' },
      take: limit,
    });
    // Locked by name, as for a match, and checked again: the session may have come meanwhile.
    await lockNames(
      manager,
      'session',
      late.flatMap(({ source, sessionId, roomName }) => nameKeys(source, [sessionId], roomName)),
    );
    const expired: ExpectationEntity[] = [];
    for (const expectation of late) {
      const { source, sessionId } = expectation;
      const still = { source, sessionId, state: 'awaiting' as const, expiresAt: LessThanOrEqual(by) };
      const { affected } = await manager.update(ExpectationEntity, still, { state: 'expired' });
      if (affected === 1) expired.push({ ...expectation, state: 'expired' });
    }
    return expired;
  }

  /** When the next awaiting expectation expires, UTC milliseconds; `null` if there is none. */
  nextExpiry(manager: EntityManager): Promise<number | null> {
    return manager.minimum(ExpectationEntity, 'expiresAt', { state: 'awaiting' });
  }

  /**
   * Deletes expectations that were to expire before `cutoff`, `limit` at most, unless they still await a session, or theirs
   * goes on.
   *
   * @returns how many.
   */
  async prune(manager: EntityManager, cutoff: number, limit: number): Promise<number> {
    const p = new SqlParameters(this.store.dialect);
    const isOld = `state IN ('matched', 'expired') AND expires_at < ${p.add(cutoff)}`;
    // Written twice: if the session is expected anew meanwhile, PostgreSQL checks only the outer one again.
    const gone = await manager.query(
      `DELETE FROM livekit_expected_sessions WHERE ${isOld} AND (source, session_id) IN (
         SELECT source, session_id FROM livekit_expected_sessions e
         WHERE ${isOld} AND ${IS_OVER} LIMIT ${p.add(limit)})
       RETURNING session_id`,
      p.values,
    );
    return rowsOf(gone).length;
  }

  /**
   * Removes from expectations what they say about a person or a room.
   *
   * @param rooms the keys of the rooms that are erased: an expectation matched with one is about it.
   */
  async erase(subject: ErasedSubject, rooms: ReadonlySet<string> = new Set()): Promise<void> {
    let from = { source: '', sessionId: '' };
    for (;;) {
      const some = await this.store.read((manager) => this.someBehind(manager, from, subject.project));
      for (const known of some) {
        if (erased(known, subject, rooms) === null) continue;
        await this.store.write((manager) => this.eraseOne(manager, known, subject, rooms));
      }
      const last = some.at(-1);
      if (last === undefined) return;
      from = last;
    }
  }

  private async someBehind(
    manager: EntityManager,
    { source, sessionId }: { source: string; sessionId: string },
    project: string | undefined,
  ): Promise<ExpectationEntity[]> {
    const query = manager
      .createQueryBuilder(ExpectationEntity, 'e')
      .where('(e.source, e.session_id) > (:source, :sessionId)', { source, sessionId })
      .orderBy('e.source')
      .addOrderBy('e.sessionId')
      .limit(BATCH);
    if (project !== undefined) query.andWhere('e.source = :project', { project });
    return query.getMany();
  }

  // Locked by name, as for a match, and checked again: the session may have come meanwhile.
  private async eraseOne(
    manager: EntityManager,
    { source, sessionId, roomName }: ExpectationEntity,
    subject: ErasedSubject,
    rooms: ReadonlySet<string>,
  ): Promise<void> {
    await lockNames(manager, 'session', nameKeys(source, [sessionId], roomName));
    const known = await this.find(manager, source, sessionId);
    const after = known && erased(known, subject, rooms);
    if (after === null) return;
    await manager.delete(ExpectationEntity, { source, sessionId });
    await this.put(manager, after);
  }

  private async expectedOf(
    manager: EntityManager,
    candidates: readonly Candidate[],
  ): Promise<ExpectationEntity[]> {
    const p = new SqlParameters(this.store.dialect);
    const byId = candidates.flatMap(({ fold, sessionIds }) =>
      sessionIds.map((sessionId) => [fold.source, sessionId] as const),
    );
    const byRoom = candidates.flatMap(({ fold }) =>
      fold.roomName === null ? [] : [[fold.source, fold.roomName] as const],
    );
    const among = (column: string, keys: readonly (readonly [string, string])[]) =>
      keys.length === 0
        ? []
        : [
            `SELECT source, session_id FROM livekit_expected_sessions
             WHERE state = 'awaiting' AND ${p.isOneOfPairs(`source, ${column}`, keys)}`,
          ];
    const queries = [...among('session_id', byId), ...among('room_name', byRoom)];
    if (queries.length === 0) return [];
    const found = await manager.query<{ source: string; session_id: string }[]>(
      queries.join(' UNION '),
      p.values,
    );
    const expected = await new EntityRows(manager, ExpectationEntity).find(
      ['source', 'sessionId'],
      found.map((row) => ({ source: row.source, sessionId: row.session_id })),
    );
    return expected.sort((a, b) => a.expectedAt - b.expectedAt || (a.sessionId < b.sessionId ? -1 : 1));
  }
}

/** An expectation without what it says about a person or a room; `null` if it says nothing about them. */
function erased(
  known: ExpectationEntity,
  { kind, text, pseudonym }: ErasedSubject,
  rooms: ReadonlySet<string>,
): ExpectationEntity | null {
  const wanted = plainText(text);
  if (kind === 'identity') return tells(known.metadata, wanted) ? { ...known, metadata: {} } : null;
  const { source, sessionId, roomName, roomSid } = known;
  const isMatched = roomSid !== null && rooms.has(roomKey({ source, roomSid }));
  if (!isMatched && ![sessionId, roomName, roomSid].includes(wanted)) {
    return tells(known.metadata, wanted) ? { ...known, metadata: {} } : null;
  }
  return {
    ...known,
    metadata: {},
    ...(roomName !== null && { roomName: pseudonym }),
    ...((sessionId === wanted || sessionId === roomName) && { sessionId: pseudonym }),
  };
}

/** The names by which a session may be expected, as strings to lock. */
export const namesOf = ({ fold, sessionIds }: Pick<Candidate, 'fold' | 'sessionIds'>): string[] =>
  nameKeys(fold.source, sessionIds, fold.roomName);

/** The same for an expectation. */
export const nameKeys = (
  source: string,
  sessionIds: readonly string[],
  roomName: string | null,
): string[] => [
  ...sessionIds.map((sessionId) => `${source}/id/${sessionId}`),
  ...(roomName === null ? [] : [`${source}/room/${roomName}`]),
];

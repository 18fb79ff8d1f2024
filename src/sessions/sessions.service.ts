import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { SessionEntity } from '../database/entities/session.entity.js';
import { EventStore } from '../database/event-store.js';
import { plainText } from '../database/plain-text.js';
import { SessionNotFoundError, SessionRequestError } from './errors.js';
import type { Expectation } from './expectations/expectation.js';
import { Expectations, type ExpectationsFilter, type ExpectationsPage } from './expectations/expectations.js';
import type { ExpectOptions } from './expectations/expected-session.js';
import { FactStore, type RoomKey, roomKey } from './projection/fact-store.js';
import { LARGEST_PAGE, pageSize } from './filter-values.js';
import { foldRoom } from './fold/fold.js';
import { COUNTED_KINDS, type CountedKind, countedKind } from './fold/presence.js';
import { isPresent } from './present-connections.js';
import { Reconciler } from './reconciliation/reconciler.js';
import type { ReconciliationRound } from './reconciliation/reconciliations.js';
import {
  type CreatedRoom,
  type CreateRoomOptions,
  type CreateTokenOptions,
  SessionRooms,
} from './rooms/session-rooms.js';
import { SessionKeeper } from './projection/session-keeper.js';
import { cursorOf, sessionsQuery, type SessionsFilter } from './session-queries.js';
import { LONGEST_DISPOSITION } from './projection/session-row.js';
import type { Session } from './session.js';
import {
  SessionRebuild,
  type RebuildOptions,
  type RebuiltCounts,
  type RebuiltRoom,
} from './projection/session-rebuild.js';
import { toSession } from './to-session.js';

/** A page of sessions, the newest first, and the cursor of the next page. */
export interface SessionsPage {
  sessions: Session[];
  nextCursor: string | null;
}

/** Which project something is about. */
export interface OfProject {
  /** The project, by default the one called `default`. */
  project?: string | undefined;
}

/** How many sessions are counted at most: SQLite counts in this process, and webhooks wait meanwhile. */
export const MOST_SESSIONS_COUNTED = { sqlite: 10_000, postgres: 100_000 };

/** Answers queries about sessions, from committed data, and stores what the backend says about them. */
@Injectable()
export class SessionsService {
  constructor(
    private readonly store: EventStore,
    private readonly expected: Expectations,
    private readonly keeper: SessionKeeper,
    private readonly rebuilding: SessionRebuild,
    private readonly rooms: SessionRooms,
    private readonly reconciler: Reconciler,
  ) {}

  /** Sessions, the newest first. @throws SessionRequestError when the filter is invalid. */
  async list(filter: SessionsFilter = {}): Promise<SessionsPage> {
    const limit = pageSize(filter.limit);
    return this.store.read(async (manager) => {
      const query = await sessionsQuery(manager, filter);
      const rows = await query.limit(limit + 1).getMany();
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        sessions: await told(manager, page),
        nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null,
      };
    });
  }

  /** The sessions with this id, the newest first, 200 at most: one, unless its room's name or its id was reused. */
  async find(sessionId: string, filter: Omit<SessionsFilter, 'sessionId'> = {}): Promise<Session[]> {
    requireId(sessionId);
    const { sessions } = await this.list({ ...filter, limit: filter.limit ?? LARGEST_PAGE, sessionId });
    return sessions;
  }

  /** How many sessions have begun and not ended, 100,000 at most; on SQLite 10,000. */
  activeCount(): Promise<number> {
    return this.count("state = 'active'");
  }

  /** How many participants are connected in active sessions, by kind; somebody in two of them counts twice. */
  activeParticipants(): Promise<Record<CountedKind, number>> {
    const { dialect } = this.store;
    const active = `(SELECT source, room_sid, segment, began_at FROM livekit_sessions WHERE state = 'active'
      ORDER BY began_at DESC LIMIT ${MOST_SESSIONS_COUNTED[dialect]}) s`;
    // Whoever joined before their room was reopened belongs to the session before, though their leave was lost.
    const theirs = `livekit_connections c WHERE c.source = s.source AND c.room_sid = s.room_sid
      AND (s.segment = 0 OR coalesce(c.joined_at, c.seen_at) >= s.began_at)`;
    // As the fold has it (`replacedAt`): where a leave was lost, a connection is over once the next one has come.
    const presentIn = (connections: string) =>
      `(SELECT max(kind) AS kind FROM (
         SELECT s.source, s.room_sid, coalesce(c.identity, c.participant_sid) AS identity,
           coalesce(c.kind, max(c.kind) OVER theirs) AS kind,
           ${isPresent(dialect)} AND coalesce(c.joined_at, c.seen_at + 999) >= coalesce(max(c.joined_at) OVER theirs, 0) AS is_present
         FROM ${connections}
         WINDOW theirs AS (PARTITION BY s.source, s.room_sid, coalesce(c.identity, c.participant_sid))
       ) c WHERE is_present GROUP BY source, room_sid, identity) present`;
    // PostgreSQL would otherwise read every connection there ever was, rather than look into each room.
    const present =
      dialect === 'postgres'
        ? `${active} JOIN LATERAL ${presentIn(theirs)} ON true`
        : presentIn(`${active} JOIN ${theirs}`);
    return this.store.read(async (manager) => {
      const rows = await manager.query<{ kind: string | null; count: number | string }[]>(
        `SELECT kind, count(*) AS count FROM ${present} GROUP BY kind`,
      );
      const counts = Object.fromEntries(COUNTED_KINDS.map((kind) => [kind, 0])) as Record<
        CountedKind,
        number
      >;
      for (const { kind, count } of rows) {
        const counted = countedKind(kind);
        if (counted !== null) counts[counted] += Number(count);
      }
      return counts;
    });
  }

  /** How many sessions belong to nothing that the backend knows, 100,000 at most; on SQLite 10,000. */
  unmatchedCount(): Promise<number> {
    return this.count('unmatched IS NOT NULL');
  }

  /**
   * Expects a session, by the host's own id: the session that comes under this id carries the metadata, and if none comes in
   * time, `session.expired` is emitted. One that has already come is matched now. Another call for the same id replaces the
   * earlier expectation.
   *
   * @throws SessionRequestError when the id, the room's name or the metadata can't be stored, `expiresIn` is invalid, or there
   * is no such project.
   */
  expect(sessionId: string, options: ExpectOptions = {}): Promise<Expectation> {
    return this.expected.expect(sessionId, options);
  }

  /** Withdraws the expectation of a session, unless that has come. */
  withdraw(sessionId: string, { project = 'default' }: OfProject = {}): Promise<void> {
    return this.expected.withdraw(sessionId, project);
  }

  /**
   * Expects a session, and creates its room at LiveKit, under the same name unless `roomName` gives another. Needs `livekitUrl`.
   *
   * @throws SessionRequestError as `expect` does, and when that room would not be this session's by the option `sessionId`;
   * SessionRoomError when LiveKit made no room: then the expectation is withdrawn, unless LiveKit did not answer in time, for it
   * may have made the room; SessionsOptionsError without `livekitUrl`.
   */
  createRoom(sessionId: string, options: CreateRoomOptions = {}): Promise<CreatedRoom> {
    return this.rooms.createRoom(sessionId, options);
  }

  /**
   * Creates an access token to join a session's room: the one it is expected in, else the one named after its id.
   *
   * @throws SessionRequestError without a session id or an identity, with a `ttl` of 0, and when the project has no API key.
   */
  createToken(sessionId: string, options: CreateTokenOptions): Promise<string> {
    return this.rooms.createToken(sessionId, options);
  }

  /**
   * Asks every LiveKit now what webhooks have missed, as happens automatically every `reconcileInterval`.
   *
   * @returns what was added, one round per project.
   * @throws SessionsOptionsError without `livekitUrl`; the error of a LiveKit that failed.
   */
  reconcile(): Promise<ReconciliationRound[]> {
    return this.reconciler.reconcileNow();
  }

  /** Expectations, past ones too, ordered by session id. @throws SessionRequestError when the filter is invalid. */
  expectations(filter: ExpectationsFilter = {}): Promise<ExpectationsPage> {
    return this.expected.list(filter);
  }

  /**
   * Sets how a session went, which webhooks can't see: it stands whatever facts still arrive. If the id was reused, it applies
   * to the newest session.
   *
   * @param disposition `null` leaves it to the rules again.
   * @throws SessionNotFoundError; SessionRequestError when it is not a word of 1 to 128 characters, or without an id.
   */
  async setDisposition(
    sessionId: string,
    disposition: string | null,
    { project = 'default' }: OfProject = {},
  ): Promise<Session> {
    requireId(sessionId);
    if (disposition !== null && !isWord(disposition)) {
      throw new SessionRequestError(`a disposition is 1 to ${LONGEST_DISPOSITION} characters, or null`);
    }
    const newest = await this.store.read(async (manager) =>
      (await sessionsQuery(manager, { sessionId, project })).limit(1).getOne(),
    );
    if (newest === null) throw new SessionNotFoundError(sessionId, project);
    const given = {
      disposition: disposition && plainText(disposition),
      dispositionSource: disposition === null ? null : ('host' as const),
    };
    await this.store.write((manager) =>
      this.keeper.refold(manager, [newest], {
        amend: (_, { segment }) => (segment === newest.segment ? given : {}),
      }),
    );
    const [session] = await this.store.read(async (manager) =>
      told(manager, await manager.findBy(SessionEntity, { pk: newest.pk })),
    );
    if (session === undefined) throw new SessionNotFoundError(sessionId, project); // it was pruned meanwhile
    return session;
  }

  /**
   * Rebuilds the sessions of a room from its events, as if all arrived anew; from the stored facts if the bytes of an event
   * have been pruned or erased. Changes are announced as usual; the host's word stays.
   *
   * @param room its name or its sid.
   */
  rebuild(room: string, options: Pick<RebuildOptions, 'project'> = {}): Promise<RebuiltRoom[]> {
    return this.rebuilding.rebuild(room, options);
  }

  /** Rebuilds the sessions of every room, in small steps: after an upgrade, or when an option has changed what sessions are. */
  rebuildAll(options: RebuildOptions = {}): Promise<RebuiltCounts> {
    return this.rebuilding.rebuildAll(options);
  }

  private count(condition: string): Promise<number> {
    return this.store.read(async (manager) => {
      const [row] = await manager.query<{ count: number | string }[]>(
        `SELECT count(*) AS count FROM
           (SELECT 1 FROM livekit_sessions WHERE ${condition} ORDER BY began_at LIMIT ${MOST_SESSIONS_COUNTED[this.store.dialect]}) counted`,
      );
      return Number(row?.count);
    });
  }
}

// A filter without an id finds every session.
function requireId(sessionId: unknown): void {
  if (typeof sessionId !== 'string') throw new SessionRequestError('name a session by its id');
}

const isWord = (text: unknown): boolean =>
  typeof text === 'string' && text.trim() !== '' && text.length <= LONGEST_DISPOSITION;

async function told(manager: EntityManager, rows: readonly SessionEntity[]): Promise<Session[]> {
  const facts = await new FactStore(manager).load(rows);
  const keyOf = (one: RoomKey & { segment: number }) => `${roomKey(one)}/${one.segment}`;
  const folds = new Map(facts.flatMap(foldRoom).map((fold) => [keyOf(fold), fold]));
  return rows.flatMap((row) => {
    const fold = folds.get(keyOf(row));
    return fold === undefined ? [] : [toSession(fold, row)];
  });
}

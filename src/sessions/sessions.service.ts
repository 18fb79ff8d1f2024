import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { SessionEntity } from '../database/entities/session.entity.js';
import { EventStore } from '../database/event-store.js';
import { plainText } from '../database/plain-text.js';
import { SessionNotFoundError, SessionRequestError } from './errors.js';
import type { Expectation } from './expectations/expectation.js';
import {
  Expectations,
  type ExpectationsFilter,
  type ExpectationsPage,
  type ExpectOptions,
} from './expectations/expectations.js';
import { FactStore } from './fact-store.js';
import { foldRoom } from './fold/fold.js';
import { COUNTED_KINDS, type CountedKind, countedKind } from './fold/presence.js';
import { isPresent } from './present-connections.js';
import { lockRooms } from './room-locks.js';
import { Reconciler } from './reconciliation/reconciler.js';
import type { ReconciliationRound } from './reconciliation/reconciliations.js';
import {
  type CreatedRoom,
  type CreateRoomOptions,
  type CreateTokenOptions,
  SessionRooms,
} from './rooms/session-rooms.js';
import { SessionKeeper } from './session-keeper.js';
import { LARGEST_PAGE, pageSize } from './page-size.js';
import { cursorOf, sessionsQuery, type SessionsFilter } from './session-queries.js';
import { LONGEST_DISPOSITION } from './session-row.js';
import type { Session } from './session.js';
import {
  SessionRebuild,
  type RebuildOptions,
  type RebuiltCounts,
  type RebuiltRoom,
} from './session-rebuild.js';
import { toSession } from './to-session.js';

/** Some sessions, the newest first, and where the next ones begin. */
export interface SessionsPage {
  sessions: Session[];
  nextCursor: string | null;
}

/** Which project something is about. */
export interface OfProject {
  /** The project, by default the one called `default`. */
  project?: string;
}

/** How many sessions are counted: SQLite answers in this process, and webhooks wait meanwhile. */
export const MOST_SESSIONS_COUNTED = { sqlite: 10_000, postgres: 100_000 };

/** Answers questions about sessions, from what is committed, and keeps what the backend says of them. */
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

  /** Sessions, the newest first. @throws SessionRequestError when the filter is not understood. */
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

  /** The sessions of this id, the newest first: one, unless its room's name, or its id, was used again. */
  async find(sessionId: string, filter: Omit<SessionsFilter, 'sessionId'> = {}): Promise<Session[]> {
    const { sessions } = await this.list({ limit: LARGEST_PAGE, ...filter, sessionId });
    return sessions;
  }

  /** How many sessions have begun and not ended, 100,000 at most; on SQLite 10,000. */
  activeCount(): Promise<number> {
    return this.count("state = 'active'");
  }

  /** How many participants are connected in active sessions, by kind; whoever is in two of them counts twice. */
  activeParticipants(): Promise<Record<CountedKind, number>> {
    const { dialect } = this.store;
    const present = `livekit_connections c WHERE c.source = s.source AND c.room_sid = s.room_sid AND ${isPresent(dialect)}`;
    // PostgreSQL would rather read all connections that ever were than look into each room.
    const inRooms =
      dialect === 'postgres'
        ? `JOIN LATERAL (SELECT DISTINCT identity, kind FROM ${present}) c ON true`
        : `JOIN ${present}`;
    return this.store.read(async (manager) => {
      const rows = await manager.query<{ kind: string | null; count: number | string }[]>(
        `SELECT kind, count(*) AS count FROM (
           SELECT DISTINCT s.source, s.room_sid, c.identity, c.kind
           FROM (SELECT source, room_sid FROM livekit_sessions WHERE state = 'active'
             ORDER BY began_at DESC LIMIT ${MOST_SESSIONS_COUNTED[dialect]}) s ${inRooms}
         ) present GROUP BY kind`,
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
   * Expects a session, by the host's own id: whoever comes under it is told with this metadata, and when nobody has come in
   * time, `session.expired` is told. What has come already is matched now. Said again, it stands in the place of
   * what was said before.
   *
   * @throws SessionRequestError when the id, the room's name or the metadata can't be kept.
   */
  expect(sessionId: string, options: ExpectOptions = {}): Promise<Expectation> {
    return this.expected.expect(sessionId, options);
  }

  /** Expects it no more, unless it has come. */
  withdraw(sessionId: string, { project = 'default' }: OfProject = {}): Promise<void> {
    return this.expected.withdraw(sessionId, project);
  }

  /**
   * Expects a session, and makes its room at LiveKit, of the same name unless `roomName` says another. Needs `livekitUrl`.
   *
   * @throws SessionRequestError when the session could not be told by that room; SessionRoomError when LiveKit made no room:
   * then nobody is expected, either; SessionsOptionsError without `livekitUrl`.
   */
  createRoom(sessionId: string, options: CreateRoomOptions = {}): Promise<CreatedRoom> {
    return this.rooms.createRoom(sessionId, options);
  }

  /**
   * Makes an access token that lets somebody join the room of a session: the one that it is expected in, else the one of
   * its name.
   *
   * @throws SessionRequestError without an identity, and when the project has no API key.
   */
  createToken(sessionId: string, options: CreateTokenOptions): Promise<string> {
    return this.rooms.createToken(sessionId, options);
  }

  /**
   * Asks every LiveKit now what webhooks have missed, as is done by itself every `reconcileInterval`.
   *
   * @returns what was added, one round a project.
   * @throws SessionsOptionsError without `livekitUrl`; whatever a LiveKit failed with.
   */
  reconcile(): Promise<ReconciliationRound[]> {
    return this.reconciler.reconcileNow();
  }

  /** What is, or was, expected, by session id. @throws SessionRequestError when the filter is not understood. */
  expectations(filter: ExpectationsFilter = {}): Promise<ExpectationsPage> {
    return this.expected.list(filter);
  }

  /**
   * Says how a session went, which webhooks can't see: it stands whatever facts still come. Of a reused id it is
   * said of the newest session.
   *
   * @param disposition `null` leaves it to the rules again.
   * @throws SessionNotFoundError; SessionRequestError when it is not a word of 1 to 128 characters.
   */
  async setDisposition(
    sessionId: string,
    disposition: string | null,
    { project = 'default' }: OfProject = {},
  ): Promise<Session> {
    if (disposition !== null && !isWord(disposition)) {
      throw new SessionRequestError(`a disposition is 1 to ${LONGEST_DISPOSITION} characters, or null`);
    }
    const newest = await this.store.read(async (manager) =>
      (await sessionsQuery(manager, { sessionId, project })).limit(1).getOne(),
    );
    if (newest === null) throw new SessionNotFoundError(sessionId, project);
    await this.store.write(async (manager) => {
      await lockRooms(this.store.dialect, manager, [newest]);
      const rooms = await new FactStore(manager).load([newest]);
      await this.keeper.keep(
        manager,
        rooms.map((facts) => ({ before: facts, after: facts })),
        {
          amend: (_, { segment }) =>
            segment === newest.segment
              ? {
                  disposition: disposition && plainText(disposition),
                  dispositionSource: disposition === null ? null : 'host',
                }
              : {},
        },
      );
    });
    const [session] = await this.store.read((manager) => told(manager, [newest], true));
    return session as Session;
  }

  /**
   * Makes the sessions of a room again from its events, as they would be had all come anew. Where the bytes of an event have
   * been pruned or erased, from the stored facts. What changes is told, as ever; the host's word stays.
   *
   * @param room its name or its sid.
   */
  rebuild(room: string, options: Partial<OfProject> = {}): Promise<RebuiltRoom[]> {
    return this.rebuilding.rebuild(room, options);
  }

  /** Does so with every room, in small steps: after an upgrade, or when an option has changed what sessions are. */
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

const isWord = (text: unknown): boolean =>
  typeof text === 'string' && text.trim() !== '' && text.length <= LONGEST_DISPOSITION;

/** @param anew whether the rows may have changed since they were read. */
async function told(
  manager: EntityManager,
  given: readonly SessionEntity[],
  anew = false,
): Promise<Session[]> {
  const rows = anew
    ? await manager.findBy(
        SessionEntity,
        given.map(({ pk }) => ({ pk })),
      )
    : given;
  const rooms = await new FactStore(manager).load(rows);
  const folds = new Map(
    rooms.flatMap(foldRoom).map((fold) => [`${fold.source}/${fold.roomSid}/${fold.segment}`, fold]),
  );
  return rows.flatMap((row) => {
    const fold = folds.get(`${row.source}/${row.roomSid}/${row.segment}`);
    return fold === undefined ? [] : [toSession(fold, row)];
  });
}

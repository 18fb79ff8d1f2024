import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { lockNames, tryLock } from '../../database/advisory-locks.js';
import { ExpectationEntity } from '../../database/entities/expectation.entity.js';
import { SessionEntity } from '../../database/entities/session.entity.js';
import { EventStore } from '../../database/event-store.js';
import { EventAppender } from '../../event-log/append/event-appender.js';
import { StoreClock } from '../../event-log/clock.js';
import { plainText } from '../../database/plain-text.js';
import { Timetable } from '../../event-log/timetable.js';
import { SESSION_EVENT_VERSION } from '../events/session-events.js';
import type { RoomKey } from '../projection/fact-store.js';
import { oneOf, pageSize, strangeCursor } from '../filter-values.js';
import { PROJECT_KEYS, type ProjectKeys } from '../../livekit-webhook/project-keys.js';
import { SessionKeeper } from '../projection/session-keeper.js';
import { unprojectedSince } from '../projection/unprojected.js';
import { SESSIONS_SETTINGS, type SessionsSettings } from '../sessions.options.js';
import { type Expectation, EXPECTATION_STATES, type ExpectationState, toExpectation } from './expectation.js';
import { ExpectationStore, nameKeys } from './expectation-store.js';
import { type ExpectedSession, type ExpectOptions, expectedSession } from './expected-session.js';

/** A page of expectations, and the cursor of the next page. */
export interface ExpectationsPage {
  expectations: Expectation[];
  nextCursor: string | null;
}

/** Which expectations to list. */
export interface ExpectationsFilter {
  state?: ExpectationState | undefined;
  project?: string | undefined;
  /** Expectations on a page, 1 to 200, 50 by default. */
  limit?: number | undefined;
  /** `nextCursor` of the page before; none, or `null`, for the first. */
  cursor?: string | null | undefined;
}

/** Expectations that expire in one transaction. */
const BATCH = 100;

/** Records which sessions the backend expects, matches those that have already come, and announces those that did not come. */
@Injectable()
export class Expectations implements OnModuleInit {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly events: EventAppender,
    private readonly timetable: Timetable,
    private readonly expected: ExpectationStore,
    private readonly keeper: SessionKeeper,
    @Inject(SESSIONS_SETTINGS) private readonly settings: SessionsSettings,
    @Inject(PROJECT_KEYS) private readonly projects: ProjectKeys,
  ) {}

  onModuleInit(): void {
    this.timetable.register({
      nextAt: () => this.store.read((manager) => this.expected.nextExpiry(manager)),
      run: () => this.expire(),
    });
  }

  /** See `SessionsService.expect`. */
  async expect(sessionId: string, options: ExpectOptions = {}): Promise<Expectation> {
    const asked = expectedSession(sessionId, options, this.projects);
    const { source, roomName } = asked;
    const { made, room } = await this.store.write(async (manager) => {
      await lockNames(manager, 'session', nameKeys(source, [asked.sessionId], roomName));
      const now = await this.clock.read(manager);
      const newest = await newestSessions(manager, asked);
      const isItsOwn = (session: SessionEntity) =>
        session.idKept === 'matched' && session.sessionId === asked.sessionId;
      // Another call updates a session that goes on; once that has ended, it means the next one.
      const goingOn = newest.find((session) => isItsOwn(session) && session.state === 'active');
      const expectation: ExpectationEntity = {
        ...asked,
        state: goingOn ? 'matched' : 'awaiting',
        expectedAt: now,
        expiresAt: now + (options.expiresIn ?? this.settings.expectTimeout),
        roomSid: goingOn?.roomSid ?? null,
      };
      await this.expected.put(manager, expectation);
      this.store.afterCommit(manager, () => this.timetable.tell(now));
      const isRecent = ({ endedAt }: SessionEntity) =>
        endedAt === null || endedAt >= now - this.settings.expectTimeout;
      return {
        made: expectation,
        room: goingOn ?? newest.find((session) => isRecent(session) && !isItsOwn(session)),
      };
    });
    if (room !== undefined) await this.matchNow(room, asked);
    const stored = await this.store.read((manager) => this.expected.find(manager, source, asked.sessionId));
    return toExpectation(stored ?? made); // it may have been withdrawn or erased meanwhile
  }

  /** See `SessionsService.withdraw`. */
  withdraw(sessionId: string, project: string): Promise<void> {
    return this.store.write((manager) =>
      this.expected.remove(manager, plainText(project), plainText(sessionId)),
    );
  }

  /** See `SessionsService.expectations`. */
  async list(filter: ExpectationsFilter = {}): Promise<ExpectationsPage> {
    const { state, project } = filter;
    const cursor = filter.cursor ?? '';
    const limit = pageSize(filter.limit);
    return this.store.read(async (manager) => {
      const query = manager
        .createQueryBuilder(ExpectationEntity, 'e')
        .orderBy('e.sessionId')
        .addOrderBy('e.source')
        .limit(limit + 1);
      if (state !== undefined) {
        query.andWhere('e.state = :state', { state: oneOf('state', EXPECTATION_STATES, state) });
      }
      if (project !== undefined) query.andWhere('e.source = :project', { project: plainText(project) });
      if (cursor !== '') {
        const [sessionId, source] = positionOf(cursor);
        query.andWhere('(e.session_id, e.source) > (:sessionId, :source)', { sessionId, source });
      }
      const rows = await query.getMany();
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        expectations: page.map(toExpectation),
        nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null,
      };
    });
  }

  private async matchNow(
    room: RoomKey & { segment: number },
    { sessionId, metadata }: ExpectedSession,
  ): Promise<void> {
    await this.store.write((manager) =>
      this.keeper.refold(manager, [room], {
        expectedIn: room.segment,
        amend: (row, { segment }) =>
          row.sessionId === sessionId && segment === room.segment ? { metadata } : {},
      }),
    );
  }

  private expire(): Promise<number> {
    return this.store.write(async (manager) => {
      if (!(await tryLock(manager, 'expiring'))) return 0;
      const now = await this.clock.read(manager);
      // A webhook that arrived in time, and is not in its session yet, may be what is expected.
      const since = (await unprojectedSince(manager)) ?? Infinity;
      const expired = await this.expected.expire(manager, Math.min(now, since - 1), BATCH);
      // Each expires once, in this transaction, so that its event needs no id made of the session id: that would outlive an
      // erasure, since headers of events stay.
      const drafts = expired.map((row) => ({
        kind: 'session' as const,
        name: 'session.expired',
        project: row.source,
        room: { name: row.roomName },
        occurredAt: row.expiresAt,
        data: { version: SESSION_EVENT_VERSION, expectation: toExpectation(row) },
      }));
      await this.events.append(manager, ...drafts);
      return expired.length;
    });
  }
}

/** The sessions that an expectation may be about: the newest of its id, and the newest in its room. */
async function newestSessions(
  manager: EntityManager,
  { source, sessionId, roomName }: ExpectedSession,
): Promise<SessionEntity[]> {
  const query = manager
    .createQueryBuilder(SessionEntity, 's')
    .where('s.source = :source', { source })
    .orderBy('s.beganAt', 'DESC')
    .addOrderBy('s.pk', 'DESC')
    .limit(1);
  const byId = await query.clone().andWhere('s.sessionId = :sessionId', { sessionId }).getMany();
  if (roomName === null) return byId;
  const inRoom = await query
    .andWhere(
      's.room_sid IN (SELECT r.room_sid FROM livekit_rooms r WHERE r.source = :source AND r.room_name = :roomName)',
      { roomName },
    )
    .getMany();
  return [...byId, ...inRoom];
}

const cursorOf = ({ sessionId, source }: ExpectationEntity): string =>
  Buffer.from(JSON.stringify([sessionId, source])).toString('base64url');

function positionOf(cursor: string): [sessionId: string, source: string] {
  try {
    const [sessionId, source] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (typeof sessionId === 'string' && typeof source === 'string')
      return [plainText(sessionId), plainText(source)];
  } catch {
    // reported below
  }
  throw strangeCursor();
}

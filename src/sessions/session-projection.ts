import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { createHash } from 'node:crypto';
import { Room } from 'livekit-server-sdk';
import type { EntityManager } from 'typeorm';
import { SessionEntity } from '../database/entities/session.entity.js';
import { EventStore } from '../database/event-store.js';
import { EventLog } from '../event-log/event-log.js';
import type { LoggedEvent } from '../event-log/events.js';
import { LogFollower } from '../event-log/log-follower.js';
import { FactStore, type RoomKey, type RoomWithConnections } from './fact-store.js';
import { factsOf } from './facts/extract.js';
import { type Facts } from './facts/facts.js';
import { foldRoom, type SessionFold } from './facts/fold.js';
import { SESSIONS_OPTIONS, type SessionsModuleOptions } from './sessions.options.js';

/** Makes sessions of events: facts out of each, merged with what was known, and every room they touch folded anew. */
@Injectable()
export class SessionProjection implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Sessions');
  private readonly follower: LogFollower;
  private readonly allowed: ReadonlySet<string>;

  constructor(
    store: EventStore,
    log: EventLog,
    @Inject(SESSIONS_OPTIONS) private readonly options: SessionsModuleOptions,
  ) {
    this.allowed = new Set(options.attributes);
    this.follower = new LogFollower(store, log, (events, manager) => this.project(events, manager));
  }

  onApplicationBootstrap(): void {
    this.follower.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.follower.stop();
  }

  /** Takes events into the sessions, in the caller's transaction. */
  async project(events: readonly LoggedEvent[], manager: EntityManager): Promise<void> {
    const facts = events.map((event) => this.factsOf(event));
    const rooms = await new FactStore(manager).merge({
      rooms: facts.flatMap(({ rooms: some }) => some),
      connections: facts.flatMap(({ connections }) => connections),
    });
    for (const room of rooms) await this.keepSessions(room, manager);
  }

  private factsOf({ source, eventId, name, occurredAt, body }: LoggedEvent): Facts {
    return factsOf(
      { source, eventId, name, occurredAt, body: JSON.parse(body.toString('utf8')) },
      this.allowed,
    );
  }

  private async keepSessions(
    { room, connections }: RoomWithConnections,
    manager: EntityManager,
  ): Promise<void> {
    const folds = foldRoom(room, connections);
    const { source, roomSid }: RoomKey = room;
    const known = await manager.findBy(SessionEntity, { source, roomSid });
    for (const fold of folds) {
      const before = known.find(({ segment }) => segment === fold.segment);
      const row = this.sessionRow(fold);
      if (before?.digest === row.digest) continue;
      await manager.save(SessionEntity, { ...before, ...row, revision: (before?.revision ?? 0) + 1 });
    }
    // A finish that comes late can join what seemed to be two sessions.
    const gone = known.filter(({ segment }) => segment >= folds.length);
    if (gone.length > 0) await manager.remove(SessionEntity, gone);
  }

  private sessionRow(fold: SessionFold): Omit<SessionEntity, 'pk' | 'revision'> {
    const { source, roomSid, segment, state, beganAt, endedAt } = fold;
    const sessionId = this.sessionId(fold);
    const digest = createHash('sha256')
      .update(JSON.stringify({ ...fold, sessionId }))
      .digest('hex');
    return { source, roomSid, segment, sessionId, state, beganAt, endedAt, digest };
  }

  private sessionId({ description, roomName, roomSid }: SessionFold): string | null {
    const { sessionId } = this.options;
    if (sessionId === undefined) return roomName;
    if (description === null) return null; // not before LiveKit has told the room itself
    try {
      return sessionId(Room.fromJson(description as never, { ignoreUnknownFields: true })) || null;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.logger.warn(`the session of room ${roomSid} has no id: \`sessionId\` failed on it (${why})`);
      return null;
    }
  }
}

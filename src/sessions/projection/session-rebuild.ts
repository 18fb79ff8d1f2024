import { Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { RoomEntity } from '../../database/entities/room.entity.js';
import { EventStore } from '../../database/event-store.js';
import { bytes, SqlParameters } from '../../database/sql.js';
import { plainText } from '../../database/plain-text.js';
import { EVENT_COLUMNS, eventHeader, type EventRow, type LoggedEvent } from '../../event-log/events.js';
import { FactStore, merged, type RoomKey } from './fact-store.js';
import type { RoomFacts } from '../facts/facts.js';
import { lockRooms } from './room-locks.js';
import { SessionKeeper } from './session-keeper.js';
import { SessionProjection } from './session-projection.js';

/** The result of rebuilding a room. */
export interface RebuiltRoom {
  project: string;
  roomSid: string;
  /** `events`: from all of its events; `facts`: from its stored facts, since bytes of its events are gone. */
  from: 'events' | 'facts';
  /** How many of its sessions have changed. */
  changed: number;
}

/** What has been rebuilt so far. */
export interface RebuiltCounts {
  rooms: number;
  /** How many of them were made from their stored facts, since bytes of their events are gone. */
  fromFacts: number;
  /** How many sessions have changed. */
  changed: number;
}

/** How all rooms are rebuilt. */
export interface RebuildOptions {
  /** Of this project only; of all by default. */
  project?: string | undefined;
  /** Called after every batch of up to 200 rooms. */
  onProgress?: ((counts: Readonly<RebuiltCounts>) => void) | undefined;
  /** Stops after the current room. */
  signal?: AbortSignal | undefined;
}

/** Events per query. */
const EVENTS = 500;

/** Rooms per query. */
const ROOMS = 200;

/** The pause between two rooms, so that others get their turn, milliseconds. */
const PAUSE = 1;

/** Rebuilds sessions from the log. */
@Injectable()
export class SessionRebuild {
  constructor(
    private readonly store: EventStore,
    private readonly projection: SessionProjection,
    private readonly keeper: SessionKeeper,
  ) {}

  /** See `SessionsService.rebuild`. */
  async rebuild(room: string, { project }: Pick<RebuildOptions, 'project'>): Promise<RebuiltRoom[]> {
    const wanted = plainText(room);
    const source = project === undefined ? {} : { source: plainText(project) };
    const rooms = await this.store.read((manager) =>
      manager.find(RoomEntity, {
        where: [
          { roomName: wanted, ...source },
          { roomSid: wanted, ...source },
        ],
        order: { seenAt: 'ASC' },
      }),
    );
    const rebuilt: RebuiltRoom[] = [];
    for (const key of rooms) rebuilt.push(await this.rebuildRoom(key));
    return rebuilt;
  }

  /** See `SessionsService.rebuildAll`. */
  async rebuildAll({ project, onProgress, signal }: RebuildOptions): Promise<RebuiltCounts> {
    const counts: RebuiltCounts = { rooms: 0, fromFacts: 0, changed: 0 };
    for (let from: RoomKey | undefined = { source: '', roomSid: '' }; from !== undefined;) {
      const some: readonly RoomKey[] = await this.roomsBehind(from, project);
      for (const key of some) {
        if (signal?.aborted) return counts;
        const { changed, from: source } = await this.rebuildRoom(key);
        counts.rooms += 1;
        counts.fromFacts += source === 'facts' ? 1 : 0;
        counts.changed += changed;
        await delay(PAUSE);
      }
      if (some.length > 0) onProgress?.(counts);
      from = some.at(-1);
    }
    return counts;
  }

  private roomsBehind({ source, roomSid }: RoomKey, project: string | undefined): Promise<RoomKey[]> {
    return this.store.read(async (manager) => {
      const p = new SqlParameters(this.store.dialect);
      const ofProject = project === undefined ? '' : `AND source = ${p.add(plainText(project))}`;
      const rows = await manager.query<{ source: string; room_sid: string }[]>(
        `SELECT source, room_sid FROM livekit_rooms
         WHERE (source, room_sid) > (${p.add(source)}, ${p.add(roomSid)}) ${ofProject} ORDER BY source, room_sid LIMIT ${ROOMS}`,
        p.values,
      );
      return rows.map((row) => ({ source: row.source, roomSid: row.room_sid }));
    });
  }

  // Most events are read before the room is locked; those that arrive meanwhile, once it is.
  private async rebuildRoom(key: RoomKey): Promise<RebuiltRoom> {
    const read = await this.read((query) => this.store.read(query), key, NOTHING);
    return this.store.write(async (manager) => {
      await lockRooms(manager, [key]);
      const facts = new FactStore(manager);
      const [before] = await facts.load([key]);
      const { source: project, roomSid } = key;
      if (before === undefined) return { project, roomSid, from: 'facts', changed: 0 };
      const told = read && (await this.readRest(manager, key, before, read));
      const after = told?.facts.find(({ room }) => room.roomSid === roomSid && room.source === project);
      if (after !== undefined) await facts.replace(after);
      const changed = await this.keeper.keep(manager, [{ before, after: after ?? before }], {
        renames: true,
      });
      return { project, roomSid, from: after === undefined ? 'facts' : 'events', changed };
    });
  }

  /** Reads what has arrived since, with the room locked; `null` when an event, or the bytes of one, may be gone. */
  private async readRest(
    manager: EntityManager,
    key: RoomKey,
    before: RoomFacts,
    known: ReadEvents,
  ): Promise<ReadEvents | null> {
    if (await this.isBelowFloor(manager, before)) return null;
    const { events, bodies } = await this.count(manager, key);
    if (bodies < events) return null; // what was read has been erased since
    const held: Reader = (query) => query(manager);
    const read = await this.read(held, key, known);
    // Events before those already read may have been committed or routed since.
    return read === null || read.events === events ? read : this.read(held, key, NOTHING);
  }

  /** Reads a room's events after those already read; `null` when the bytes of one are gone. */
  private async read(reader: Reader, key: RoomKey, known: ReadEvents): Promise<ReadEvents | null> {
    let { facts, last, events } = known;
    for (;;) {
      const some = await reader((manager) => this.eventsBehind(manager, key, last));
      if (some === null) return null;
      facts = merged(facts, this.projection.factsOf(some)).after;
      last = some.at(-1)?.seq ?? last;
      events += some.length;
      if (some.length < EVENTS) return { facts, last, events };
    }
  }

  private async eventsBehind(
    manager: EntityManager,
    key: RoomKey,
    seq: number,
  ): Promise<LoggedEvent[] | null> {
    const p = new SqlParameters(this.store.dialect);
    const rows = await manager.query<(EventRow & { raw: Buffer | ArrayBuffer | null })[]>(
      `SELECT ${EVENT_COLUMNS}, b.raw FROM livekit_events e LEFT JOIN livekit_bodies b ON b.event_seq = e.seq
       WHERE ${ofRoom(key, p)} AND e.seq > ${p.add(seq)} ORDER BY e.seq LIMIT ${EVENTS}`,
      p.values,
    );
    if (rows.some(({ raw }) => raw === null)) return null;
    return rows.map((row) => ({ ...eventHeader(row), body: bytes(row.raw as Buffer | ArrayBuffer) }));
  }

  /** How many events a room has, and how many of them still have their bytes. */
  private async count(manager: EntityManager, key: RoomKey): Promise<{ events: number; bodies: number }> {
    const p = new SqlParameters(this.store.dialect);
    const [row] = await manager.query<{ events: number | string; bodies: number | string }[]>(
      `SELECT count(*) AS events, count(b.event_seq) AS bodies
       FROM livekit_events e LEFT JOIN livekit_bodies b ON b.event_seq = e.seq
       WHERE ${ofRoom(key, p)}`,
      p.values,
    );
    return { events: Number(row?.events), bodies: Number(row?.bodies) };
  }

  /** Whether events of a room may have been pruned with their headers. */
  private async isBelowFloor(manager: EntityManager, { room }: RoomFacts): Promise<boolean> {
    const p = new SqlParameters(this.store.dialect);
    const floors = await manager.query<unknown[]>(
      `SELECT 1 FROM livekit_floors WHERE source = ${p.add(room.source)} AND occurred_at >= ${p.add(room.seenAt)}`,
      p.values,
    );
    return floors.length > 0;
  }
}

/** SQL: whether the event `e` is one that the room's facts are made of. Those not routed yet are still to come. */
const ofRoom = ({ source, roomSid }: RoomKey, p: SqlParameters): string =>
  `e.source = ${p.add(source)} AND e.room_sid = ${p.add(roomSid)} AND e.routed AND e.kind IN ('livekit', 'reconciled')`;

/** What has been read of a room's events. */
interface ReadEvents {
  facts: RoomFacts[];
  /** The last one's position in the log. */
  last: number;
  events: number;
}

const NOTHING: ReadEvents = { facts: [], last: 0, events: 0 };

/** Reads from the store, or in a transaction. */
type Reader = <T>(query: (manager: EntityManager) => Promise<T>) => Promise<T>;

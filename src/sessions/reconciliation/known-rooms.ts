import { Injectable } from '@nestjs/common';
import { EventStore } from '../../database/event-store.js';
import { StoreClock } from '../../event-log/clock.js';
import { ENDED } from '../facts/egress.js';
import { isPresent } from '../present-connections.js';

/** A room whose session is active. */
export interface ActiveRoom {
  roomSid: string;
  /** Whether LiveKit has described the room itself: until then its session has no id. */
  isDescribed: boolean;
  /** How many connections hold it open, as far as we know. */
  present: number;
}

/** Connections of a room that go on as far as we know: by sid, whether more than their tracks has been reported. */
export type KnownPresence = ReadonlyMap<string, boolean>;

/** An egress, as far as it matters here. */
export interface KnownEgress {
  egressId: string;
  roomSid: string;
  /** See `EgressReport`. */
  progress: number;
}

/** Rooms or egresses per statement: none is to grow without bound. */
const AT_ONCE = 1_000;

/** How many active sessions are searched for their projects. */
const SESSIONS_LOOKED_THROUGH = 10_000;

/** Reads the little about all active sessions of a project that decides which of them to examine. */
@Injectable()
export class KnownRooms {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
  ) {}

  /** Now, UTC milliseconds, by the clock that all replicas share. */
  now(): Promise<number> {
    return this.store.read((manager) => this.clock.read(manager));
  }

  /** The rooms of a project's active sessions. */
  async active(project: string): Promise<ActiveRoom[]> {
    const p = this.clock.parameters();
    const rows = await this.store.read((manager) =>
      manager.query<{ room_sid: string; is_described: unknown; present: number | string }[]>(
        `SELECT s.room_sid, r.description IS NOT NULL AS is_described,
           (SELECT count(*) FROM livekit_connections c
            WHERE c.source = s.source AND c.room_sid = s.room_sid AND ${isPresent(this.store.dialect)}
              AND coalesce(c.kind, 'standard') NOT IN ('agent', 'egress')) AS present
         FROM livekit_sessions s JOIN livekit_rooms r ON r.source = s.source AND r.room_sid = s.room_sid
         WHERE s.state = 'active' AND s.source = ${p.add(project)}`,
        p.values,
      ),
    );
    return rows.map((row) => ({
      roomSid: row.room_sid,
      isDescribed: Boolean(row.is_described),
      present: Number(row.present),
    }));
  }

  /** Who is present in some rooms, by room. */
  async presentIn(project: string, roomSids: readonly string[]): Promise<Map<string, KnownPresence>> {
    const present = new Map<string, Map<string, boolean>>(roomSids.map((sid) => [sid, new Map()]));
    for (let from = 0; from < roomSids.length; from += AT_ONCE) {
      const p = this.clock.parameters();
      const rows = await this.store.read((manager) =>
        manager.query<{ room_sid: string; participant_sid: string; has_joined: unknown }[]>(
          `SELECT c.room_sid, c.participant_sid, c.joined_at IS NOT NULL AS has_joined FROM livekit_connections c
           WHERE c.source = ${p.add(project)} AND ${p.isOneOf('c.room_sid', roomSids.slice(from, from + AT_ONCE))}
             AND ${isPresent(this.store.dialect)}`,
          p.values,
        ),
      );
      for (const row of rows) present.get(row.room_sid)?.set(row.participant_sid, Boolean(row.has_joined));
    }
    return present;
  }

  /** The names of some rooms, by sid. */
  async namesOf(project: string, roomSids: readonly string[]): Promise<Map<string, string | null>> {
    const names = new Map<string, string | null>();
    for (let from = 0; from < roomSids.length; from += AT_ONCE) {
      const p = this.clock.parameters();
      const rows = await this.store.read((manager) =>
        manager.query<{ room_sid: string; room_name: string | null }[]>(
          `SELECT room_sid, room_name FROM livekit_rooms
           WHERE source = ${p.add(project)} AND ${p.isOneOf('room_sid', roomSids.slice(from, from + AT_ONCE))}`,
          p.values,
        ),
      );
      for (const row of rows) names.set(row.room_sid, row.room_name);
    }
    return names;
  }

  /** Egresses that have not ended, of sessions that are not settled. */
  async runningEgresses(project: string): Promise<KnownEgress[]> {
    const p = this.clock.parameters();
    const egresses = await this.egresses(
      `SELECT DISTINCT e.egress_id, e.room_sid, e.report FROM livekit_sessions s
       JOIN livekit_egresses e ON e.source = s.source AND e.room_sid = s.room_sid
       WHERE s.state IN ('active', 'ended') AND s.source = ${p.add(project)}`,
      p.values,
    );
    return egresses.filter(({ progress }) => progress < ENDED);
  }

  /** Egresses by their ids. */
  async egressesOf(project: string, ids: readonly string[]): Promise<KnownEgress[]> {
    const found: KnownEgress[] = [];
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const p = this.clock.parameters();
      const some = await this.egresses(
        `SELECT egress_id, room_sid, report FROM livekit_egresses
         WHERE source = ${p.add(project)} AND ${p.isOneOf('egress_id', ids.slice(from, from + AT_ONCE))}`,
        p.values,
      );
      found.push(...some);
    }
    return found;
  }

  /** The projects that have an active session, by the newest `SESSIONS_LOOKED_THROUGH` of them. */
  async activeProjects(): Promise<Set<string>> {
    const rows = await this.store.read((manager) =>
      manager.query<{ source: string }[]>(
        `SELECT DISTINCT source FROM (SELECT source FROM livekit_sessions WHERE state = 'active'
           ORDER BY began_at DESC LIMIT ${SESSIONS_LOOKED_THROUGH}) newest`,
      ),
    );
    return new Set(rows.map(({ source }) => source));
  }

  private async egresses(sql: string, parameters: unknown[]): Promise<KnownEgress[]> {
    const rows = await this.store.read((manager) =>
      manager.query<{ egress_id: string; room_sid: string; report: string }[]>(sql, parameters),
    );
    return rows.map(({ egress_id: egressId, room_sid: roomSid, report }) => ({
      egressId,
      roomSid,
      progress: (JSON.parse(report) as { progress: number }).progress,
    }));
  }
}

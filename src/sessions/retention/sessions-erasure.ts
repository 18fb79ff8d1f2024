import { plainText } from '../../database/plain-text.js';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ConnectionEntity } from '../../database/entities/connection.entity.js';
import { SessionEntity } from '../../database/entities/session.entity.js';
import { EventStore } from '../../database/event-store.js';
import { SqlParameters } from '../../database/sql.js';
import { type ErasedSubject, Erasure } from '../../event-log/retention/erasure.js';
import { giveWay } from '../../event-log/in-steps.js';
import { FactStore, type RoomKey, roomKey } from '../projection/fact-store.js';
import { tells, withoutIdentity, withoutRoom } from '../facts/erase.js';
import type { Facts, RoomFacts } from '../facts/facts.js';
import { lockRooms } from '../projection/room-locks.js';
import { ExpectationStore } from '../expectations/expectation-store.js';
import { roomsWithin } from '../projection/rooms-within.js';
import { SessionKeeper } from '../projection/session-keeper.js';
import type { SessionRow } from '../projection/session-row.js';

/** Rooms changed in one transaction; fewer if they have many connections. */
const BATCH = 20;

/** Rooms per query. */
const WINDOW = 1_000;

/** What JSON, or many writers of it, escape with a backslash; everything else is escaped as `\u…`, if at all. */
const MUST_ESCAPE = /["\\/\p{Cc}]/u;

/** Removes erased people and rooms from the facts that sessions are made of, and folds those sessions anew. */
@Injectable()
export class SessionsErasure implements OnModuleInit {
  constructor(
    private readonly store: EventStore,
    private readonly erasure: Erasure,
    private readonly keeper: SessionKeeper,
    private readonly expectations: ExpectationStore,
  ) {}

  onModuleInit(): void {
    this.erasure.register({
      erase: (subject) =>
        subject.kind === 'identity' ? this.eraseIdentity(subject) : this.eraseRoom(subject),
    });
  }

  private async eraseIdentity(subject: ErasedSubject): Promise<number> {
    const { text, project, pseudonym } = subject;
    const identity = plainText(text);
    const where = { identity, ...(project !== undefined && { source: project }) };
    const find = () => this.store.read((manager) => manager.find(ConnectionEntity, { where, take: BATCH }));
    let erased = 0;
    // Until there are none, not until nothing was changed: what was found may be pruned meanwhile.
    for (let found = await find(); found.length > 0; found = await find()) {
      const some = await this.fewOf(found);
      erased += await this.store.write(async (manager) => {
        let count = 0;
        for (const known of await this.lockedRooms(manager, some)) {
          count += (await this.eraseIdentityIn(manager, known, identity, pseudonym)) ?? 0;
        }
        return count;
      });
      await giveWay();
    }
    // Rooms where they never were may mention them, too: in metadata, in somebody else's attributes, or in a file's name.
    const wherever = await this.inRooms(project, this.mayTellOf(identity), async (manager, known) =>
      (await this.eraseIdentityIn(manager, known, identity, pseudonym)) === null ? 0 : 1,
    );
    await this.expectations.erase(subject);
    return erased + wherever;
  }

  /** @returns how many connections it changed; `null` if the room does not mention them. */
  private async eraseIdentityIn(
    manager: EntityManager,
    known: RoomFacts,
    identity: string,
    pseudonym: string,
  ): Promise<number | null> {
    const { room, connections, egresses } = withoutIdentity(known, identity, pseudonym);
    const changed = {
      rooms: room === known.room ? [] : [room],
      connections: connections.filter((connection) => !known.connections.includes(connection)),
      egresses: egresses.filter((egress) => !known.egresses.includes(egress)),
    };
    const isTold = Object.values(changed).some((facts) => facts.length > 0);
    const isInMetadata = await this.isInMetadata(manager, known, identity);
    if (!isTold && !isInMetadata) return null;
    await this.replace(manager, { room, connections, egresses }, changed, (row) => ({
      ...(room !== known.room && keptId(row)),
      ...(tells(row.metadata, identity) && { metadata: {} }),
    }));
    return changed.connections.length;
  }

  private async isInMetadata(
    manager: EntityManager,
    { room: { source, roomSid } }: RoomFacts,
    identity: string,
  ): Promise<boolean> {
    const rows = await manager.findBy(SessionEntity, { source, roomSid });
    return rows.some(({ metadata }) => tells(metadata, identity));
  }

  private async eraseRoom(subject: ErasedSubject): Promise<number> {
    const { text, project, pseudonym } = subject;
    const wanted = plainText(text);
    const isMeant = (p: SqlParameters) => `r.room_name = ${p.add(wanted)} OR r.room_sid = ${p.add(wanted)}`;
    const rooms = new Set<string>();
    const erased = await this.inRooms(project, isMeant, async (manager, known) => {
      const { roomName } = known.room;
      rooms.add(roomKey(known.room));
      const facts = withoutRoom(known, pseudonym);
      const { room, egresses } = facts;
      await this.replace(manager, facts, { rooms: [room], connections: [], egresses }, (row) => ({
        ...keptId(row),
        metadata: {},
        ...(row.sessionId !== null && row.sessionId === roomName && { sessionId: pseudonym }),
      }));
      return 1;
    });
    await this.expectations.erase(subject, rooms);
    return erased;
  }

  // Escaped text may look like anything: whatever contains such an escape is examined more closely.
  private mayTellOf(text: string): (p: SqlParameters) => string {
    const position = this.store.dialect === 'postgres' ? 'strpos' : 'instr';
    return (p) => {
      const [wanted, escape] = [p.add(text), p.add(MUST_ESCAPE.test(text) ? '\\' : '\\u')];
      const mayHold = (column: string) =>
        `${position}(${column}, ${wanted}) > 0 OR ${position}(${column}, ${escape}) > 0`;
      const within = (table: string, column: string) =>
        `EXISTS (SELECT 1 FROM ${table} t WHERE t.source = r.source AND t.room_sid = r.room_sid AND (${mayHold(`t.${column}`)}))`;
      return [
        mayHold('r.description'),
        within('livekit_connections', 'attributes'),
        within('livekit_egresses', 'report'),
        within('livekit_sessions', 'metadata'),
      ].join(' OR ');
    };
  }

  /** Changes the rooms that meet a condition on `livekit_rooms r`, some at a time. @returns how much was changed. */
  private async inRooms(
    project: string | undefined,
    condition: (p: SqlParameters) => string,
    change: (manager: EntityManager, known: RoomFacts) => Promise<number>,
  ): Promise<number> {
    let changed = 0;
    for (let from: RoomKey | undefined = { source: '', roomSid: '' }; from !== undefined;) {
      const window: readonly (RoomKey & { isMeant: boolean })[] = await this.roomsBehind(from, condition);
      const keys = window.filter(
        ({ isMeant, source }) => isMeant && (project === undefined || source === project),
      );
      while (keys.length > 0) {
        const some = keys.splice(0, (await this.fewOf(keys)).length);
        changed += await this.store.write(async (manager) => {
          let count = 0;
          for (const known of await this.lockedRooms(manager, some)) count += await change(manager, known);
          return count;
        });
        await giveWay();
      }
      from = window.at(-1);
    }
    return changed;
  }

  private roomsBehind(
    { source, roomSid }: RoomKey,
    condition: (p: SqlParameters) => string,
  ): Promise<readonly (RoomKey & { isMeant: boolean })[]> {
    return this.store.read(async (manager) => {
      const p = new SqlParameters(this.store.dialect);
      const rows = await manager.query<
        { source: string; room_sid: string; is_meant: boolean | number | null }[]
      >(
        `SELECT r.source, r.room_sid, (${condition(p)}) AS is_meant FROM livekit_rooms r
         WHERE (r.source, r.room_sid) > (${p.add(source)}, ${p.add(roomSid)}) ORDER BY r.source, r.room_sid LIMIT ${WINDOW}`,
        p.values,
      );
      return rows.map((row) => ({
        source: row.source,
        roomSid: row.room_sid,
        isMeant: Boolean(row.is_meant),
      }));
    });
  }

  private fewOf(rooms: readonly RoomKey[]): Promise<RoomKey[]> {
    return this.store.read((manager) => roomsWithin(manager, rooms.slice(0, BATCH)));
  }

  private async lockedRooms(manager: EntityManager, keys: readonly RoomKey[]): Promise<RoomFacts[]> {
    await lockRooms(manager, keys);
    return new FactStore(manager).load(keys);
  }

  private async replace(
    manager: EntityManager,
    after: RoomFacts,
    changed: Facts,
    amend: (row: Readonly<SessionRow>) => Partial<SessionRow>,
  ): Promise<void> {
    await new FactStore(manager).keep(changed);
    await this.keeper.keep(manager, [{ before: after, after }], { quietly: true, amend });
  }
}

// Asked again without what was erased, the host might give a different id.
const keptId = ({ sessionId, idKept }: Readonly<SessionRow>): Pick<SessionRow, 'idKept'> => ({
  idKept: idKept ?? (sessionId === null ? null : 'erased'),
});

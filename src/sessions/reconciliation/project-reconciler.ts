import type { Clock } from '../../event-log/clock.js';
import type { Ask } from './asking.js';
import { askAttendances, type Attendance, isAsKnown } from './attendance.js';
import { type EgressAnswer, EgressInquiry } from './egress-inquiry.js';
import type { ActiveRoom, KnownEgress, KnownRooms } from './known-rooms.js';
import type { LivekitClient } from './livekit-clients.js';
import {
  afterAsking,
  afterGap,
  afterListing,
  afterLosses,
  afterRound,
  isCatchingUp,
  NO_MEMORY,
} from './memory.js';
import type { ReconciliationRound } from './reconciliations.js';
import type { RoomAnswer } from './room-answer.js';
import type { RoomListings } from './room-listings.js';
import { reconciledId } from './reconciled-event.js';
import type { Repairs } from './repairs.js';
import { roomsToAsk } from './rooms-to-ask.js';
import type { ToldEgress, ToldRoom } from './told.js';

/** Asks the LiveKit of one project what there is, and adds what webhooks have missed: see `missing-facts.ts`. */
export class ProjectReconciler {
  private readonly egress: EgressInquiry;
  private memory = NO_MEMORY;

  constructor(
    private readonly client: LivekitClient,
    private readonly listings: RoomListings,
    private readonly known: KnownRooms,
    private readonly repairs: Repairs,
    private readonly clock: Clock,
  ) {
    this.egress = new EgressInquiry(client);
  }

  /** Whether any rooms have not been asked about since the start, or since the last gap. */
  get isCatchingUp(): boolean {
    return isCatchingUp(this.memory);
  }

  /** Has all rooms asked about anew: webhooks of any may have been missed. */
  catchUp(): void {
    this.memory = afterGap(this.memory);
  }

  /** Asks once. @throws LivekitCallError when LiveKit does not list its rooms; StaleAnswerError; whatever the store failed with. */
  async round(ask: Ask): Promise<ReconciliationRound> {
    const { project } = this.client;
    const now = await this.sharedClock();
    const at = now();

    const listed = await this.listings.ask(this.client, ask);
    const active = await this.known.active(project);
    this.memory = afterListing(this.memory, sidsOf(listed));

    const attendances = await askAttendances(ask, this.client, this.choose(listed, active), now);
    this.memory = afterAsking(this.memory, attendances);

    const running = await this.known.runningEgresses(project);
    const isQuiet = listed.length === 0 && active.length === 0 && running.length === 0;
    const { egresses, lost } = isQuiet ? NO_EGRESSES : await this.egress.ask(ask, running, now());
    this.memory = afterLosses(this.memory, lost);

    const answers = await this.answers(at, listed, active, attendances.byRoom, egresses);
    const { suspects, lostEgresses } = this.memory;
    const repaired = await this.repairs.repair(
      answers,
      (roomSid) => suspects.get(roomSid) ?? new Map(),
      ask.signal,
    );
    this.memory = afterRound(this.memory, {
      attendances: attendances.byRoom,
      unlike: new Set(answers.map(({ roomSid }) => roomSid)),
      suspects: repaired.suspects,
    });
    return {
      project,
      outcome: attendances.failures > 0 ? 'incomplete' : 'done',
      added: repaired.added.map((event) => ({
        name: event.name,
        id: reconciledId(event),
        roomSid: event.room.sid,
      })),
      lostEgresses: [...lostEgresses],
    };
  }

  /** The clock that replicas share, without reading it for every call. */
  private async sharedClock(): Promise<() => number> {
    const ahead = (await this.known.now()) - this.clock.now();
    return () => this.clock.now() + ahead;
  }

  private choose(listed: readonly ToldRoom[], active: readonly ActiveRoom[]): ToldRoom[] {
    const { askedAt, suspects } = this.memory;
    return roomsToAsk(listed, {
      present: new Map(active.map(({ roomSid, present }) => [roomSid, present])),
      askedAt,
      suspected: new Set(suspects.keys()),
      isCatchingUp: this.isCatchingUp,
    });
  }

  /** What LiveKit said about each room that is not as we know it. */
  private async answers(
    at: number,
    listed: readonly ToldRoom[],
    active: readonly ActiveRoom[],
    attendances: ReadonlyMap<string, Attendance>,
    egresses: readonly ToldEgress[],
  ): Promise<RoomAnswer[]> {
    const { project } = this.client;
    const rooms = new Map(listed.map((room) => [room.sid, room]));
    const actives = new Map(active.map((room) => [room.roomSid, room]));
    const present = await this.known.presentIn(project, [...attendances.keys()]);
    const isNothingNew = (sid: string): boolean =>
      (actives.get(sid)?.isDescribed ?? false) && isAsKnown(attendances.get(sid), present.get(sid));
    const changed = await this.changed(egresses);
    const sids = new Set([
      ...[...actives.keys()].filter((sid) => !rooms.has(sid)),
      ...[...rooms.keys()].filter((sid) => !isNothingNew(sid)),
      ...changed.keys(),
    ]);
    const byName = new Map(listed.map((room) => [room.name, room]));
    const names = await this.known.namesOf(
      project,
      [...sids].filter((sid) => !rooms.has(sid)),
    );
    return [...sids].map((sid) => {
      const attendance = attendances.get(sid);
      return {
        project,
        roomSid: sid,
        at: attendance?.at ?? at,
        listedAt: at,
        room: rooms.get(sid) ?? null,
        participants: attendance?.participants ?? null,
        egresses: changed.get(sid) ?? [],
        successorOpenedAt: byName.get(names.get(sid) ?? '')?.openedAt ?? null,
      };
    });
  }

  /** Egresses that are further on than we know, by room. */
  private async changed(egresses: readonly ToldEgress[]): Promise<Map<string, ToldEgress[]>> {
    const ids = egresses.map(({ egressId }) => egressId);
    const known = new Map<string, KnownEgress>(
      (await this.known.egressesOf(this.client.project, ids)).map((one) => [one.egressId, one]),
    );
    const byRoom = new Map<string, ToldEgress[]>();
    for (const egress of egresses) {
      const ours = known.get(egress.egressId);
      if (ours !== undefined && egress.progress <= ours.progress) continue;
      const roomSid = ours?.roomSid ?? egress.roomSid; // an older server may not send it
      if (roomSid === '') continue; // an egress of no room belongs to no session
      byRoom.set(roomSid, [...(byRoom.get(roomSid) ?? []), { ...egress, roomSid }]);
    }
    return byRoom;
  }
}

const NO_EGRESSES: EgressAnswer = { egresses: [], lost: [] };

const sidsOf = (rooms: readonly ToldRoom[]): string[] => rooms.map(({ sid }) => sid);

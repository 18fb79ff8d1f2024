import type { Clock } from '../../event-log/clock.js';
import { type Ask, isNotFound, LivekitCallError, someAtATime } from './asking.js';
import { EgressInquiry } from './egress-inquiry.js';
import type { ActiveRoom, KnownEgress, KnownPresence, KnownRooms } from './known-rooms.js';
import type { LivekitClient } from './livekit-clients.js';
import type { RoomAnswer, Suspects } from './missing-facts.js';
import type { ReconciliationRound } from './reconciliations.js';
import type { RoomListings } from './room-listings.js';
import { reconciledId } from './reconciled-event.js';
import type { Repairs } from './repairs.js';
import { roomsToAsk } from './rooms-to-ask.js';
import { type ToldEgress, type ToldParticipant, toldParticipant, type ToldRoom } from './told.js';

/** Calls at once. */
const CALLS = 4;

/** How long a round goes on asking, milliseconds: what is left waits for the next one. */
const PATIENCE = 10_000;

/** Failed calls after which a round stops asking. */
const FAILURES = 4;

/** What LiveKit said about the participants of a room. */
interface Attendance {
  at: number;
  participants: ToldParticipant[];
}

/** Asks the LiveKit of one project what there is, and adds what webhooks have missed: see `missing-facts.ts`. */
export class ProjectReconciler {
  private readonly egress: EgressInquiry;
  private readonly askedAt = new Map<string, number>();
  private readonly suspects = new Map<string, Suspects>();
  private rooms = new Set<string>();
  /** Lost egresses that have not been reported yet: a round that fails reports none. */
  private readonly lost: string[] = [];

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
    return [...this.rooms].some((sid) => !this.askedAt.has(sid));
  }

  /** Has all rooms asked about anew: webhooks of any may have been missed. */
  catchUp(): void {
    this.askedAt.clear();
  }

  /** Asks once. @throws LivekitCallError when LiveKit does not list its rooms; StaleAnswerError; whatever the store failed with. */
  async round(ask: Ask): Promise<ReconciliationRound> {
    const { project } = this.client;
    // By the clock that replicas share, without reading it for every call.
    const ahead = (await this.known.now()) - this.clock.now();
    const now = () => this.clock.now() + ahead;
    const at = now();
    const listed = await this.listings.ask(this.client, ask);
    const active = await this.known.active(project);
    this.rooms = new Set(listed.map(({ sid }) => sid));
    const { attendances, failures } = await this.attendancesOf(ask, this.choose(listed, active), now);
    const running = await this.known.runningEgresses(project);
    const isQuiet = listed.length === 0 && active.length === 0 && running.length === 0;
    const egress = isQuiet ? { egresses: [], lost: [] } : await this.egress.ask(ask, running, now());
    this.lost.push(...egress.lost);
    const answers = await this.answers(at, listed, active, attendances, egress.egresses);
    const repaired = await this.repairs.repair(
      answers,
      (roomSid) => this.suspects.get(roomSid) ?? new Map(),
      ask.signal,
    );
    this.remember(attendances, answers, repaired.suspects);
    return {
      project,
      outcome: failures > 0 ? 'incomplete' : 'done',
      added: repaired.added.map((event) => ({
        name: event.name,
        id: reconciledId(event),
        roomSid: event.room.sid,
      })),
      lostEgresses: this.lost.splice(0),
    };
  }

  private choose(listed: readonly ToldRoom[], active: readonly ActiveRoom[]): ToldRoom[] {
    return roomsToAsk(listed, {
      present: new Map(active.map(({ roomSid, present }) => [roomSid, present])),
      askedAt: this.askedAt,
      suspected: new Set(this.suspects.keys()),
      isCatchingUp: this.isCatchingUp,
    });
  }

  private async attendancesOf(
    ask: Ask,
    rooms: readonly ToldRoom[],
    now: () => number,
  ): Promise<{ attendances: Map<string, Attendance>; failures: number }> {
    const attendances = new Map<string, Attendance>();
    const begun = performance.now();
    let failures = 0;
    const isOver = () => failures >= FAILURES || performance.now() - begun > PATIENCE;
    await someAtATime(rooms, CALLS, isOver, async ({ sid, name }) => {
      const at = now();
      try {
        const participants = await ask('RoomService/ListParticipants', () =>
          this.client.rooms.listParticipants(name),
        );
        attendances.set(sid, { at, participants: participants.map(toldParticipant) });
      } catch (error) {
        if (!(error instanceof LivekitCallError)) throw error;
        if (!isNotFound(error)) failures += 1; // gone meanwhile is no failure: the next round will see
        this.askedAt.set(sid, at);
      }
    });
    return { attendances, failures };
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
    const isAsKnown = (sid: string): boolean =>
      (actives.get(sid)?.isDescribed ?? false) && areSame(present.get(sid), attendances.get(sid));
    const changed = await this.changed(egresses);
    const sids = new Set([
      ...[...actives.keys()].filter((sid) => !rooms.has(sid)),
      ...[...rooms.keys()].filter((sid) => !isAsKnown(sid)),
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

  private remember(
    attendances: ReadonlyMap<string, Attendance>,
    answers: readonly RoomAnswer[],
    suspects: ReadonlyMap<string, Suspects>,
  ): void {
    for (const [sid, { at }] of attendances) this.askedAt.set(sid, at);
    for (const sid of this.askedAt.keys()) if (!this.rooms.has(sid)) this.askedAt.delete(sid);
    const looked = new Set(answers.map(({ roomSid }) => roomSid));
    // A room that was asked about and left nothing to examine misses nothing any more.
    for (const sid of this.suspects.keys()) {
      if (!looked.has(sid) && (attendances.has(sid) || !this.rooms.has(sid))) this.suspects.delete(sid);
    }
    for (const [sid, missing] of suspects) {
      if (missing.size > 0) this.suspects.set(sid, missing);
      else this.suspects.delete(sid);
    }
  }
}

function areSame(present: KnownPresence | undefined, attendance: Attendance | undefined): boolean {
  if (present === undefined || attendance === undefined) return true; // not asked about
  const { participants } = attendance;
  const listed = new Set(participants.flatMap(({ sid, isGone }) => (isGone ? [] : [sid])));
  return (
    participants.every(({ sid, isActive }) => !isActive || present.get(sid) === true) &&
    [...present.keys()].every((sid) => listed.has(sid))
  );
}

import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EventStore } from '../../database/event-store.js';
import { EventAppender } from '../../event-log/append/event-appender.js';
import { StoreClock } from '../../event-log/clock.js';
import { giveWay } from '../../event-log/in-steps.js';
import { ToldError } from '../../logging/told-error.js';
import { FactStore } from '../projection/fact-store.js';
import { lockRooms } from '../projection/room-locks.js';
import { roomsWithin } from '../projection/rooms-within.js';
import { missingFacts, type Suspects } from './missing-facts.js';
import { type ReconciledEvent, reconciledDraft, reconciledId } from './reconciled-event.js';
import type { RoomAnswer } from './room-answer.js';

/** Rooms per transaction: few enough that webhooks, which wait behind it on SQLite, hardly notice. */
const BATCH = 50;

/** The age at which LiveKit's answers are no longer relied on, milliseconds. */
const STALE = 60_000;

/** Too much time has passed since LiveKit was asked: this process was held up. */
export class StaleAnswerError extends ToldError {
  override readonly name = 'StaleAnswerError';
}

/** The result of examining some answers. */
export interface Repaired {
  added: ReconciledEvent[];
  /** What each room misses for the first time; a room that is absent here could not be examined now. */
  suspects: Map<string, Suspects>;
}

/** Compares what LiveKit says about rooms with what is known of them, and appends what is missing. */
@Injectable()
export class Repairs {
  constructor(
    private readonly store: EventStore,
    private readonly clock: StoreClock,
    private readonly events: EventAppender,
  ) {}

  /**
   * Examines rooms in small transactions, each of which locks its rooms, so that the projection waits.
   *
   * @param suspectsOf what a room missed in the last round in which it was examined.
   * @throws StaleAnswerError
   */
  async repair(
    answers: readonly RoomAnswer[],
    suspectsOf: (roomSid: string) => Suspects,
    signal: AbortSignal,
  ): Promise<Repaired> {
    const repaired: Repaired = { added: [], suspects: new Map() };
    for (let from = 0; from < answers.length;) {
      const { taken, added, suspects } = await this.store.write((manager) =>
        this.repairSome(manager, answers.slice(from, from + BATCH), suspectsOf, signal),
      );
      from += taken;
      repaired.added.push(...added);
      for (const [roomSid, missing] of suspects) repaired.suspects.set(roomSid, missing);
      await giveWay();
    }
    return repaired;
  }

  private async repairSome(
    manager: EntityManager,
    given: readonly RoomAnswer[],
    suspectsOf: (roomSid: string) => Suspects,
    signal: AbortSignal,
  ): Promise<Repaired & { taken: number }> {
    const keys = given.map((answer) => ({ ...answer, source: answer.project }));
    const some = await roomsWithin(manager, keys);
    await lockRooms(manager, some);
    const now = await this.clock.read(manager);
    if (some.some(({ at }) => at < now - STALE)) {
      throw new StaleAnswerError('LiveKit was asked too long ago: this process has been held up meanwhile');
    }
    const busy = await this.roomsOnTheirWay(manager, some);
    const rooms = await new FactStore(manager).load(some);
    const known = new Map(rooms.map((facts) => [facts.room.roomSid, facts]));
    const suspects = new Map<string, Suspects>();
    const missing: ReconciledEvent[] = [];
    for (const answer of some) {
      const { roomSid } = answer;
      if (busy.has(roomSid)) continue;
      const found = missingFacts(known.get(roomSid) ?? null, answer, suspectsOf(roomSid));
      suspects.set(roomSid, found.suspects);
      missing.push(...found.events);
    }
    signal.throwIfAborted();
    const added = await this.named(manager, missing);
    if (added.length > 0) await this.events.append(manager, ...added.map(reconciledDraft));
    return { taken: some.length, added, suspects };
  }

  /** Rooms with events in the log that are not in their facts yet, including ours of the last round. */
  private async roomsOnTheirWay(
    manager: EntityManager,
    rooms: readonly { source: string; roomSid: string }[],
  ): Promise<Set<string>> {
    const [first] = rooms;
    if (first === undefined) return new Set();
    const p = this.clock.parameters();
    const sids = rooms.map(({ roomSid }) => roomSid);
    const ofRooms = `FROM livekit_events e WHERE e.source = ${p.add(first.source)} AND ${p.isOneOf('e.room_sid', sids)}
         AND e.kind IN ('livekit', 'reconciled')`;
    const rows = await manager.query<{ room_sid: string }[]>(
      `SELECT e.room_sid ${ofRooms} AND NOT e.routed
       UNION SELECT e.room_sid ${ofRooms} AND e.routed AND EXISTS (SELECT 1 FROM livekit_deliveries d
         WHERE d.event_seq = e.seq AND d.handler = 'sessions' AND d.state IN ('pending', 'running'))`,
      p.values,
    );
    return new Set(rows.map((row) => row.room_sid));
  }

  // The same fact may be missing again, once it has been refuted or pruned: then it needs another id.
  private async named(
    manager: EntityManager,
    events: readonly ReconciledEvent[],
  ): Promise<ReconciledEvent[]> {
    const [first] = events;
    if (first === undefined) return [];
    const p = this.clock.parameters();
    const rows = await manager.query<{ event_id: string }[]>(
      `SELECT event_id FROM livekit_events
       WHERE source = ${p.add(first.project)} AND ${p.isOneOf('event_id', events.map(reconciledId))}`,
      p.values,
    );
    const taken = new Set(rows.map((row) => row.event_id));
    return events.map((event) =>
      taken.has(reconciledId(event)) ? { ...event, fact: `${event.fact}-${event.at}` } : event,
    );
  }
}

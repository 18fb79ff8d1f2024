import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { EventStore } from '../database/event-store.js';
import { bytes, type Dialect, placeholder } from '../database/sql.js';
import type { EventLog } from './event-log.js';
import type { EventKind, LoggedEvent } from './events.js';

/** Builds on a batch of events, in the transaction that marks them as read: both are kept, or neither is. */
export type FollowLog = (events: readonly LoggedEvent[], manager: EntityManager) => Promise<void>;

/** Events in one transaction of a follower: few enough that appends, which wait behind it on SQLite, hardly notice. */
const BATCH = 64;

/** How long an idle follower sleeps unless it is woken, and how long a failing one waits, milliseconds. */
const POLL_INTERVAL = 1_000;

/** PostgreSQL's advisory lock of ours for followers ("lkwh" in ASCII, and 2). */
const FOLLOWER_LOCK = '1819047784, 2';

/**
 * Follows the log: hands over every event that was not handed over before, once, whatever dies in between. It finds
 * them by their `routed` mark and not by remembering the last `seq`: with several writers, smaller ones may be
 * committed later, and a remembered place would skip them.
 */
export class LogFollower {
  private readonly logger = new Logger('LogFollower');
  private running: Promise<void> | undefined;
  private wake: () => void = () => undefined;
  private stopped = false;
  private forget: () => void = () => undefined;

  constructor(
    private readonly store: EventStore,
    private readonly log: EventLog,
    private readonly follow: FollowLog,
  ) {}

  /** Begins to follow, with what was left unread before. */
  start(): void {
    this.forget = this.log.onCommitted(() => this.wake());
    this.running = this.run();
  }

  /** Resolves when the batch in hand is done; no other is begun. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.forget();
    this.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const woken = new Promise<void>((resolve) => (this.wake = resolve));
      const read = await this.step();
      if (read === 0 && !this.stopped) await Promise.race([woken, sleep(POLL_INTERVAL)]);
    }
  }

  private async step(): Promise<number> {
    try {
      return await this.store.transaction(async (manager) => {
        if (!(await this.isMyTurn(manager))) return 0;
        const events = await readUnrouted(manager);
        if (events.length === 0) return 0;
        await this.follow(events, manager);
        await markRouted(this.store.dialect, manager, events);
        return events.length;
      });
    } catch (error) {
      this.logger.error('following the event log failed; trying again', error);
      return 0;
    }
  }

  // Of several replicas one follows at a time; the lock goes with the transaction.
  private async isMyTurn(manager: EntityManager): Promise<boolean> {
    if (this.store.dialect === 'sqlite') return true;
    const [row] = await manager.query<{ mine: boolean }[]>(
      `SELECT pg_try_advisory_xact_lock(${FOLLOWER_LOCK}) AS mine`,
    );
    return row?.mine ?? false;
  }
}

const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });

interface EventRow {
  seq: number | string;
  source: string;
  event_id: string;
  kind: EventKind;
  name: string;
  room_sid: string | null;
  room_name: string | null;
  occurred_at: number | string;
  received_at: number | string;
  body_sha256: string;
  raw: Buffer | ArrayBuffer;
}

async function readUnrouted(manager: EntityManager): Promise<LoggedEvent[]> {
  const rows = await manager.query<EventRow[]>(
    `SELECT e.seq, e.source, e.event_id, e.kind, e.name, e.room_sid, e.room_name, e.occurred_at, e.received_at,
            e.body_sha256, b.raw
     FROM livekit_events e JOIN livekit_bodies b ON b.event_seq = e.seq
     WHERE NOT e.routed ORDER BY e.seq LIMIT ${BATCH}`,
  );
  return rows.map((row) => ({
    seq: Number(row.seq),
    source: row.source,
    eventId: row.event_id,
    kind: row.kind,
    name: row.name,
    roomSid: row.room_sid,
    roomName: row.room_name,
    occurredAt: Number(row.occurred_at),
    receivedAt: Number(row.received_at),
    bodySha256: row.body_sha256,
    body: bytes(row.raw),
  }));
}

async function markRouted(
  dialect: Dialect,
  manager: EntityManager,
  events: readonly LoggedEvent[],
): Promise<void> {
  const list = events.map((_, index) => placeholder(dialect, index + 1)).join(',');
  await manager.query(
    `UPDATE livekit_events SET routed = true WHERE seq IN (${list})`,
    events.map(({ seq }) => seq),
  );
}

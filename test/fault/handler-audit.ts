import { sqlQuery } from '../support/database.js';
import { repeated } from './audit.js';
import type { HostProcesses } from './host-processes.js';
import { type LedgerRun, readLedger } from './ledger.js';

/** Handlers whose effects are rows, written in the transaction of their acknowledgement. */
const TRANSACTIONAL = ['count', 'tally'];

/** Handlers whose runs stand in the ledger, and nowhere else. */
const AT_LEAST_ONCE = ['notify', 'follow', 'hear'];

/** What an audit of handlers found wrong; nothing is where they were kept their promises. */
export interface HandlerFindings {
  /** Events that a handler has not done. */
  missing: string[];
  /** Effects, or events appended with them, that are there more than once. */
  doubled: string[];
  /** Runs whose idempotency key is not the one of their event and handler. */
  otherKeys: string[];
  /** Runs that began before those in front of them in their room had succeeded. */
  disorder: string[];
  /** Runs that began beside another one of their delivery, in its lease. */
  overlapping: string[];
  /** Runs that began when a later claim of their delivery had been run already. */
  stale: string[];
  /** Deliveries that are neither done nor anything else that is over. */
  unfinished: string[];
}

/** What is found when all is well. */
export const NOTHING_WRONG: HandlerFindings = {
  missing: [],
  doubled: [],
  otherKeys: [],
  disorder: [],
  overlapping: [],
  stale: [],
  unfinished: [],
};

/** What was seen, right or wrong. */
export interface HandlerFigures {
  effects: number;
  /** Runs of handlers that keep a ledger. */
  runs: number;
  /** Those that failed by themselves, and those that their process did not survive. */
  failed: number;
  cutOff: number;
  /** Successes that were not the first of their delivery. */
  repeats: number;
}

interface LoggedId {
  seq: number;
  id: string;
  kind: string;
  room: string;
}

/** Compares what the handlers of `handler-host.ts` did with the events in their store; nothing may be left to do in it. */
export async function auditHandlers({
  databaseUrl,
  folder,
  lease,
}: HostProcesses): Promise<{ findings: HandlerFindings; figures: HandlerFigures }> {
  const rows = await sqlQuery<Record<keyof LoggedId, string>>(
    databaseUrl,
    `SELECT seq, event_id AS id, kind, room_sid AS room FROM livekit_events ORDER BY seq`,
  );
  const events = rows
    .filter(({ kind }) => kind === 'livekit')
    .map((row) => ({ ...row, seq: Number(row.seq) }));
  const effects = await sqlQuery<{ handler: string; event: string }>(
    databaseUrl,
    'SELECT handler, event FROM effects',
  );
  const states = await sqlQuery<{ handler: string; state: string; n: number }>(
    databaseUrl,
    "SELECT handler, state, count(*) AS n FROM livekit_deliveries WHERE state <> 'done' GROUP BY handler, state",
  );
  const runs = readLedger(folder);
  const made = [
    ...effects.map(({ handler, event }) => `${handler} ${event}`),
    ...(await countedEvents(databaseUrl)).map((event) => `append ${event}`),
  ];
  const successes = runs.filter(({ succeeded }) => succeeded);
  const done = new Set([...made, ...successes.map(({ handler, event }) => `${handler} ${event}`)]);
  const expected = [...TRANSACTIONAL, 'append', ...AT_LEAST_ONCE].flatMap((handler) =>
    events.map(({ id }) => `${handler} ${id}`),
  );
  return {
    findings: {
      missing: expected.filter((one) => !done.has(one)),
      doubled: repeated(made),
      otherKeys: otherKeys(runs),
      disorder: disorder(
        runs.filter(({ handler }) => handler === 'follow'),
        events,
      ),
      overlapping: overlapping(runs, lease),
      stale: stale(runs),
      unfinished: states.map(({ handler, state, n }) => `${n} of ${handler} ${state}`),
    },
    figures: {
      effects: effects.length,
      runs: runs.length,
      failed: runs.filter(({ succeeded, endedAt }) => !succeeded && endedAt !== undefined).length,
      cutOff: runs.filter(({ endedAt }) => endedAt === undefined).length,
      repeats: repeated(successes.map(({ delivery }) => String(delivery))).length,
    },
  };
}

async function countedEvents(databaseUrl: string): Promise<string[]> {
  const rows = await sqlQuery<{ raw: Buffer | ArrayBuffer }>(
    databaseUrl,
    `SELECT b.raw FROM livekit_events e JOIN livekit_bodies b ON b.event_seq = e.seq WHERE e.name = 'event.counted'`,
  );
  return rows.map(
    ({ raw }) => (JSON.parse(Buffer.from(raw as ArrayBuffer).toString()) as { event: string }).event,
  );
}

// What was appended has an id of its own, which `hear` writes down in place of a room.
const otherKeys = (runs: readonly LedgerRun[]): string[] =>
  runs
    .filter(({ handler, event, room, key }) => {
      return key !== `default/${handler === 'hear' ? `app:${room}` : event}/${handler}`;
    })
    .map(told);

/** An event of a room is begun when all those in front of it have succeeded, and not before. */
function disorder(runs: readonly LedgerRun[], events: readonly LoggedId[]): string[] {
  const firstSuccess = new Map<string, number>();
  for (const { event, endedAt = Infinity, succeeded } of runs) {
    if (succeeded) firstSuccess.set(event, Math.min(endedAt, firstSuccess.get(event) ?? Infinity));
  }
  const mayBegin = new Map<string, number>();
  const roomIsFree = new Map<string, number>();
  for (const { id, room } of events) {
    const since = roomIsFree.get(room) ?? 0;
    mayBegin.set(id, since);
    roomIsFree.set(room, Math.max(since, firstSuccess.get(id) ?? Infinity));
  }
  return runs.filter(({ event, begunAt }) => begunAt < (mayBegin.get(event) ?? Infinity)).map(told);
}

/** Who was killed runs no more; who was held up may be overtaken when what was left of their lease is over. */
function overlapping(runs: readonly LedgerRun[], lease: number): string[] {
  const before = new Map<number, LedgerRun>();
  return runs
    .filter((run) => {
      const earlier = before.get(run.delivery);
      before.set(run.delivery, run);
      if (earlier?.endedAt === undefined || earlier.endedAt < run.begunAt) return false;
      // It is renewed after a third of it, and a busy machine may take its time for that.
      return run.begunAt < earlier.begunAt + lease / 3;
    })
    .map(told);
}

/** Every claim of a delivery has a greater `attempt`: whoever begins with a smaller one has lost their lease. */
function stale(runs: readonly LedgerRun[]): string[] {
  const latest = new Map<number, number>();
  return runs
    .filter(({ delivery, attempt }) => {
      const before = latest.get(delivery) ?? 0;
      latest.set(delivery, Math.max(before, attempt));
      return attempt <= before;
    })
    .map(told);
}

const told = ({ handler, event, attempt, by }: LedgerRun): string =>
  `${handler} of ${event}, attempt ${attempt}, by ${by}`;

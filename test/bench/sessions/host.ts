/** An application with sessions, asked for one thing after another: `sessions/host.ts <database url> <copies that are active>`. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  EventLog,
  EventStore,
  type SessionsFilter,
  SessionsModule,
  SessionsService,
} from '../../../dist/index.js';
import { Timetable } from '../../../dist/event-log/timetable.js';
import { SessionProjection } from '../../../dist/sessions/projection/session-projection.js';
import { application } from '../application.js';
import { answer } from '../child.js';
import type { Measure } from '../rounds.js';
import { bodiesOf, type Copy, eventOf } from './calls.js';
import { copyOf } from './copies.js';

/** What it is asked: figures are milliseconds, medians of some rounds. */
export type HostQuestion =
  | { ask: 'fold'; rounds: number }
  | { ask: 'list'; filter: SessionsFilter; rounds: number }
  | { ask: 'participants'; rounds: number }
  | { ask: 'settle'; sessions: number };

const [url = '', active = ''] = process.argv.slice(2);
// It neither listens nor runs until sessions are to settle: whatever is measured has this process to itself.
const app = await application({ database: { url }, imports: [SessionsModule.forRoot({ settle: 0 })] });
const store = app.get(EventStore);
const sessions = app.get(SessionsService);

answer<HostQuestion>((question) => {
  if (question.ask === 'settle') return settle(question.sessions);
  const { rounds } = question;
  if (question.ask === 'fold') return medianOf(rounds, fold);
  if (question.ask === 'participants')
    return medianOf(
      rounds,
      timed(() => sessions.activeParticipants()),
    );
  return medianOf(
    rounds,
    timed(() => sessions.list(question.filter)),
  );
});

async function medianOf(rounds: number, measure: (round: number) => Promise<number>): Promise<number> {
  const all: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    all.push(await measure(round));
    await nextTurn();
  }
  return quantile(all, 0.5);
}

const timed = (work: () => Promise<unknown>) => async (): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

/** Rooms in a batch. */
const ROOMS = 64;

class TakenBack extends Error {}

/** The projection of a batch, each event of another room that goes on; then it is taken back, so that each is like the first. */
async function fold(round: number): Promise<number> {
  const rooms = Array.from({ length: ROOMS }, (_, nth) => 1 + ((round * 7_919 + nth * 101) % Number(active)));
  const events = rooms.map((nth) => goes(copyOf('a', nth, Number(active))));
  let milliseconds = NaN;
  const folded = store.transaction(async (manager) => {
    const start = performance.now();
    await app.get(SessionProjection).project(events, { manager } as never);
    milliseconds = performance.now() - start;
    throw new TakenBack();
  });
  await folded.catch((error: unknown) => {
    if (!(error instanceof TakenBack)) throw error;
  });
  return milliseconds;
}

const goes = (copy: Copy) =>
  eventOf(bodiesOf('two-party-call', copy).find((body) => body.includes('"participant_left"')) ?? '');

/** How long idle appends are watched, milliseconds. */
const IDLE = 2_000;

/** Sessions that are due at once settle, while others append: none of those may fail. */
async function settle(count: number): Promise<Measure> {
  await app.init();
  let isOver = false;
  const idle = appends(() => isOver);
  setTimeout(() => (isOver = true), IDLE);
  const before = await idle;
  await store.transaction((manager) =>
    manager.query(
      `UPDATE livekit_sessions SET state = 'ended', settles_at = 1, due_at = 1
       WHERE pk IN (SELECT pk FROM livekit_sessions WHERE state = 'settled' ORDER BY began_at LIMIT ${count})`,
    ),
  );
  isOver = false;
  const meanwhile = appends(() => isOver);
  const milliseconds = await timed(() => app.get(Timetable).runDue())();
  isOver = true;
  const during = await meanwhile;
  const { sessions: left } = await sessions.list({ state: 'ended' });
  if (left.length > 0) throw new Error('not all sessions have settled');
  return {
    'sessions settled/s': (count * 1_000) / milliseconds,
    'ms p99 of appends': quantile(during, 0.99),
    'ms p99 of appends alone': quantile(before, 0.99),
  };
}

/** Appends one event after another, on eight lanes. @returns how long each took, milliseconds. */
async function appends(isOver: () => boolean): Promise<number[]> {
  const all: number[] = [];
  const lane = async () => {
    while (!isOver()) all.push(await timed(() => app.get(EventLog).append('bench.tick', {}))());
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return all;
}

const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * q)] ?? NaN;

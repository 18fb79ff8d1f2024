import { randomInt } from 'node:crypto';
import pg from 'pg';
import { MOVING_IN } from '../../src/database/moving/marks.js';
import type { Session } from '../../src/sessions/session.js';
import { busyHour, eventOf } from '../bench/sessions/calls.js';
import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import { backlog } from '../support/backlog.js';
import { sqlQuery } from '../support/database.js';
import { openEventLog } from '../support/event-log.js';
import { describeMoving, everyRow, freshMove } from '../support/moving.js';
import { seededRandom } from '../support/random.js';
import { countOf } from '../support/rows.js';
import { until } from '../support/until.js';
import { sessionsOf } from './audit.js';

const CALLS = process.env['TEST_LONG'] === '1' ? 10_000 : 400; // ten events each
/** How long one part may take on a slow machine, milliseconds. */
const PATIENCE = 60_000 + CALLS * 60;
/** Appended at once. */
const AT_ONCE = 500;
const SEED = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));

describeMoving('a move that is killed', () => {
  const databases = freshMove();

  beforeAll(buildApplication, 120_000);
  afterEach(killApplications);

  test(
    'twice on the way is finished by the third call: every row is equal, and every session',
    async () => {
      const { from, to } = databases;
      const random = seededRandom(SEED);
      process.stdout.write(`a move that is killed: ${CALLS * 10} events (TEST_SEED=${SEED})\n`);
      await storeCalls(from);
      const sessions = await sessionsTold(from);

      const beyondHalfOf = (rows: number) => Math.floor(rows / 2) + random(Math.floor(rows / 3));
      for (const table of ['livekit_bodies', 'livekit_deliveries']) {
        const seen = beyondHalfOf(await countOf(from, table));
        await killedBefore(table, seen);
        const moved = await rowsMoved(table);
        expect(moved).toBeGreaterThan(0);
        expect(moved).toBeLessThanOrEqual(seen);
      }
      const refused = ApplicationProcess.launch(to);
      expect(await refused.exited).toEqual({ code: 1, signal: null });
      expect(refused.log).toContain('HalfMovedStoreError');

      const bodies = await countOf(from, 'livekit_bodies');
      const last = moving();
      expect(await last.exited).toEqual({ code: 0, signal: null });
      expect(last.log).not.toContain('copied livekit_bodies');
      expect(last.log).toContain(`verified livekit_bodies: ${bodies.toLocaleString('en-US')} of`);

      expect(await everyRow(to)).toEqual(await everyRow(from));
      expect(await sessionsTold(to)).toEqual(sessions);
      const old = ApplicationProcess.launch(from);
      expect(await old.exited).toEqual({ code: 1, signal: null });
      expect(old.log).toContain('StoreMovedError');
    },
    6 * PATIENCE,
  );

  const moving = () =>
    ApplicationProcess.launch(databases.to, {}, [
      'dist/cli/livekit-webhooks.js',
      'migrate-store',
      '--from',
      databases.from,
    ]);

  /** Kills a move in the middle of the transaction that would write this row, counted in the key's order. */
  async function killedBefore(table: string, nth: number): Promise<void> {
    const [row] = await sqlQuery<Record<string, string | number>>(
      databases.from,
      `SELECT * FROM ${table} ORDER BY 1 LIMIT 1 OFFSET ${nth}`,
    );
    const client = new pg.Client({ connectionString: databases.to });
    await client.connect();
    try {
      // Whoever writes a row with the same key waits to see what becomes of this one.
      await client.query('BEGIN');
      await client.query(OCCUPY[table] as string, Object.values(row ?? {}).slice(0, 1));
      const move = moving();
      await until(
        'the move to wait',
        async () => {
          if (!move.alive) throw new Error(move.log);
          const [{ waiting } = { waiting: false }] = await sqlQuery<{ waiting: boolean }>(
            databases.to,
            `SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity a USING (pid)
               WHERE NOT granted AND a.datname = current_database()) AS waiting`,
          );
          return waiting;
        },
        PATIENCE,
      );
      expect(await move.kill()).toEqual({ code: null, signal: 'SIGKILL' });
    } finally {
      await client.end();
    }
  }

  async function rowsMoved(table: string): Promise<number> {
    const [row] = await sqlQuery<{ rows: string }>(
      databases.to,
      `SELECT rows FROM ${MOVING_IN} WHERE name = ?`,
      [table],
    );
    return Number(row?.rows);
  }
});

const OCCUPY: Record<string, string> = {
  livekit_bodies: "INSERT INTO livekit_bodies (event_seq, raw) VALUES ($1, '')",
  livekit_deliveries: `INSERT INTO livekit_deliveries (id, event_seq, handler, due_at)
    OVERRIDING SYSTEM VALUE VALUES ($1, -1, '', 0)`,
};

async function storeCalls(url: string): Promise<void> {
  const log = await openEventLog(url);
  const events = [...busyHour(CALLS, 'moved-')].map((body) => eventOf(body));
  for (let from = 0; from < events.length; from += AT_ONCE) {
    await Promise.all(events.slice(from, from + AT_ONCE).map((event) => log.receive(event)));
  }
  await log.onApplicationShutdown();
}

/** Every session as the application tells it, when it has nothing left to do. */
async function sessionsTold(url: string): Promise<Session[]> {
  const application = await ApplicationProcess.start(url, { SESSION_SETTLE: '0s' });
  const isDone = async () =>
    (await backlog(url)) === 0 && (await countOf(url, 'livekit_sessions', "state = 'settled'")) === CALLS;
  await until('every session to be settled', isDone, PATIENCE);
  const sessions = await sessionsOf(application);
  expect(await application.stop()).toEqual({ code: 0, signal: null });
  return sessions;
}

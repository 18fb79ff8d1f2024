import { ApplicationProcess } from '../support/application-process.js';
import { type FreshDatabase, freshDatabase, onPostgres, sqlQuery } from '../support/database.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { expectAllWell } from './all-well.js';
import { sessionsOf } from './audit.js';
import { makeCall } from './calls.js';
import { buildHost, HostProcesses, removeHost } from './host-processes.js';
import { readLedger } from './ledger.js';
import { Sender } from './sender.js';

const MINUTES = 60_000;

const isLong = process.env['TEST_LONG'] === '1';
const onServer = onPostgres && isLong ? describe : describe.skip;

const random = seededRandom(20_261_126);

beforeAll(buildHost, 120_000);
afterAll(removeHost);

/** Now, by the server's clock. */
async function serverTime(url: string): Promise<number> {
  const [row] = await sqlQuery<{ now: string }>(
    url,
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now',
  );
  return Number(row?.now);
}

onServer.each([
  ['ahead', 10 * MINUTES],
  ['behind', -10 * MINUTES],
])('of two replicas, one whose clock is 10 minutes %s', (_, shift) => {
  const off = { CLOCK_SHIFT: String(shift), NODE_OPTIONS: '--import ./test/fault/shifted-clock.mjs' };
  let sound: Sender;

  afterEach(() => sound.close());

  test('runs what is due and nothing that another has, by the clock of the database', async () => {
    const hosts = await HostProcesses.onFreshDatabase({ lease: 10_000, seed: 3 });
    try {
      const begun = await serverTime(hosts.databaseUrl);
      const one = await hosts.start();
      sound = new Sender(() => one.url);
      hosts.hold(1);
      await sound.sendAll(makeCall(random), 1);
      const runsOf = (by: ApplicationProcess) => readLedger(hosts.folder).filter((run) => run.by === by.pid);
      await until('its runs', () => runsOf(one).length >= 3);
      const held = runsOf(one);
      const other = await hosts.start(undefined, off); // it looks for what is left behind as soon as it is there
      hosts.letGo(1);
      await until('the other at work', async () => {
        await sound.sendAll(makeCall(random), 8);
        return runsOf(other).length > 0;
      });
      await expectAllWell(hosts, sound);
      for (const { delivery } of held) {
        expect(readLedger(hosts.folder).find((run) => run.delivery === delivery)?.by).toBe(one.pid);
      }
      // What was written down as a time, by either, is one of this test, but for those by which something is due later.
      const ended = await serverTime(hosts.databaseUrl);
      const times = await sqlQuery<{ what: string; at: string }>(
        hosts.databaseUrl,
        `SELECT 'done' AS what, done_at AS at FROM livekit_deliveries UNION ALL SELECT 'due', due_at FROM livekit_deliveries
         UNION ALL SELECT 'failed', failed_at FROM livekit_attempts UNION ALL SELECT 'seen', last_seen FROM livekit_handlers
         UNION ALL SELECT 'settles', settles_at - 30000 FROM livekit_sessions WHERE settles_at IS NOT NULL`,
      );
      expect(times.filter(({ at }) => Number(at) < begun || Number(at) > ended + 1_000)).toEqual([]);
      for (const host of [one, other]) expect(await host.stop()).toEqual({ code: 0, signal: null });
    } finally {
      await hosts.remove();
    }
  });

  describe('of the application', () => {
    let database: FreshDatabase;

    beforeEach(async () => {
      database = await freshDatabase();
    });

    afterEach(() => database.drop());

    test('settles in time, and refuses signatures and says by how much, while another goes on', async () => {
      const settle = { SESSION_SETTLE: '5s' };
      let one = await ApplicationProcess.start(database.url, settle);
      sound = new Sender(() => one.url);
      await sound.sendAll(makeCall(random), 1);
      await until('its end', async () => (await sessionsOf(one))[0]?.state === 'ended');
      await one.kill();

      const other = await ApplicationProcess.start(database.url, { ...settle, ...off });
      const unsound = new Sender(() => other.url);
      try {
        const early: unknown[] = [];
        await until('it to settle', async () => {
          const [row] = await sqlQuery<{ state: string; early: boolean }>(
            database.url,
            `SELECT state, settles_at > extract(epoch FROM statement_timestamp()) * 1000 AS early FROM livekit_sessions`,
          );
          if (row?.early && row.state === 'settled') early.push(row);
          return row?.state === 'settled';
        });
        expect(early).toEqual([]);

        const events = makeCall(random);
        await unsound.sendAll(events, 8);
        expect(new Set(unsound.answers.map(({ status }) => status))).toEqual(new Set([401]));
        expect(other.log).toMatch(
          /"reason":"(expired|not_yet_valid)".* s outside its life: compare this machine's clock/,
        );
        const metrics = await (await fetch(`${other.url}/metrics`)).text();
        expect(metrics).toMatch(
          /livekit_webhook_signature_failures_total\{reason="(expired|not_yet_valid)"\} [1-9]/,
        );
        expect((await other.get('/health/ready')).status).toBe(200);
        one = await ApplicationProcess.start(database.url, settle);
        await sound.sendAll(events, 1);
        expect(sound.unacknowledged).toEqual([]);
        await until('both sessions', async () => (await sessionsOf(other)).length === 2);
        for (const app of [one, other]) expect(await app.stop()).toEqual({ code: 0, signal: null });
      } finally {
        unsound.close();
        await Promise.all([one.kill(), other.kill()]);
      }
    });
  });
});

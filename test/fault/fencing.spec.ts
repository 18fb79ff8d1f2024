import type { ApplicationProcess } from '../support/application-process.js';
import { sqlQuery } from '../support/database.js';
import { describeOnPostgres, describeOnSqlite } from '../support/only-on.js';
import { DELIVERY_ENGINES, shareOf, testOf } from '../support/private-server.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { expectAllWell } from './all-well.js';
import { type CallEvent, makeCall } from './calls.js';
import { buildHost, HostProcesses, removeHost } from './host-processes.js';
import { isOpenBy, notRunBy, readLedger } from './ledger.js';
import { Sender } from './sender.js';

const isLong = process.env['TEST_LONG'] === '1';

/** Hosts take a second to start, and leases one to be over. */
const PATIENCE = isLong ? 900_000 : 240_000;

/** How often one of two processes is paused, and how many webhooks both are sent. */
const NAPS = isLong ? 20 : 2;
const WEBHOOKS = 400;

const random = seededRandom(20_261_124);

/** The handlers of these hosts that can be held. */
const HELD = "('count', 'notify', 'follow')";

let hosts: HostProcesses;
let sender: Sender;

beforeAll(buildHost, 120_000);
afterAll(removeHost);

afterEach(async () => {
  sender.close();
  await hosts.remove();
});

/** Resolves when a process has begun so many runs of each handler that can be held. */
async function begun(by: ApplicationProcess, expected: Record<string, number>): Promise<void> {
  await until(
    `runs of ${by.pid}`,
    () => {
      const runs = readLedger(hosts.folder).filter((run) => run.by === by.pid);
      return Object.entries(expected).every(
        ([handler, count]) => runs.filter((run) => run.handler === handler).length >= count,
      );
    },
    60_000,
  );
}

describeOnPostgres.each(DELIVERY_ENGINES)('of two processes on PostgreSQL, over %s,', (engine) => {
  const testUnderLoad = testOf(engine);

  /** What stands in the store of the deliveries that were held, but for leases that are renewed. */
  const deliveries = () =>
    sqlQuery(
      hosts.databaseUrl,
      `SELECT id, handler, state, attempt, lease_token, done_at FROM livekit_deliveries WHERE handler IN ${HELD} ORDER BY id`,
    );

  const ownTransactions = () =>
    sqlQuery(
      hosts.databaseUrl,
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL
         AND application_name = 'nestjs-livekit-webhooks'`,
    );

  const pauseHandlers = (paused: boolean) =>
    sqlQuery(hosts.databaseUrl, `UPDATE livekit_handlers SET paused = ? WHERE name IN ${HELD}`, [paused]);

  const cases: [told: string, isStillRunning: boolean][] = [
    ['runs what was its', true],
    ['has done what was its', false],
  ];

  test.each(shareOf(engine, cases))(
    'one that is paused beyond its leases and woken when the other %s can acknowledge nothing, commit nothing and begin nothing',
    async (_, isStillRunning) => {
      hosts = await HostProcesses.onFreshDatabase({ engine, lease: 2_000 });
      hosts.hold(1);
      const sleeper = await hosts.start();
      sender = new Sender(() => sleeper.url);
      const events = makeCall(random).slice(0, 4);
      // Claimed together: so the sleeper also has those that wait for the first one of their room.
      await pauseHandlers(true);
      await sender.sendAll(events, 1);
      await until('all to be routed', async () => (await deliveries()).length === 12);
      await pauseHandlers(false);
      await sender.send(makeCall(random)[0] as CallEvent);
      await begun(sleeper, { count: 5, notify: 5, follow: 2 });
      // What a transaction of ours has locked is free again after 10 s: nothing that this test could wait for.
      await until('it to be paused in no transaction', async () => {
        sleeper.pause();
        if ((await ownTransactions()).length === 0) return true;
        sleeper.resume();
        return false;
      });

      if (isStillRunning) hosts.hold(2);
      const heir = await hosts.start();
      if (isStillRunning) await begun(heir, { count: 5, notify: 5, follow: 2 });
      else await hosts.drained();
      const before = await deliveries();

      hosts.letGo(1);
      sleeper.resume();
      await until('the sleeper to end its runs', () =>
        readLedger(hosts.folder).every(({ by, endedAt }) => by !== sleeper.pid || endedAt !== undefined),
      );
      await until('the sleeper to hear of it', () => /leases were lost/.test(sleeper.log));
      expect(await sleeper.stop()).toEqual({ code: 0, signal: null });
      expect(await deliveries()).toEqual(before);
      const ofSleeper = readLedger(hosts.folder).filter(({ by }) => by === sleeper.pid);
      expect(ofSleeper.filter(({ handler }) => handler === 'follow')).toHaveLength(2);
      expect(
        await sqlQuery(
          hosts.databaseUrl,
          `SELECT event FROM effects WHERE handler = 'count' AND made_by = ${sleeper.pid}`,
        ),
      ).toEqual([]);

      if (isStillRunning) hosts.letGo(2);
      await expectAllWell(hosts, sender);
      expect(await heir.stop()).toEqual({ code: 0, signal: null });
    },
    PATIENCE,
  );

  /** Sends calls, many at a time, as long as `goesOn`: the webhooks of each one after the other, to one process and the other. */
  async function sendCalls(to: readonly ApplicationProcess[], goesOn: () => boolean): Promise<void> {
    let next = 0;
    sender = new Sender(() => (to[next++ % to.length] as ApplicationProcess).url);
    const work = async (): Promise<void> => {
      while (goesOn()) for (const event of makeCall(random)) await sender.send(event);
    };
    await Promise.all(Array.from({ length: 24 }, work));
  }

  testUnderLoad(
    'both under load, none runs what the other runs, and both together keep the order of every room',
    async () => {
      hosts = await HostProcesses.onFreshDatabase({ engine, lease: 10_000, seed: 1 });
      const both = [await hosts.start(), await hosts.start()];
      await sendCalls(both, () => sender.all.length < WEBHOOKS);
      await expectAllWell(hosts, sender);
      const runs = readLedger(hosts.folder);
      for (const { pid } of both) expect(runs.filter(({ by }) => by === pid).length).toBeGreaterThan(100);
      expect(hosts.errors).toEqual([]);
      for (const host of both) expect(await host.stop()).toEqual({ code: 0, signal: null });
    },
    PATIENCE,
  );

  testUnderLoad(
    'either paused beyond its leases again and again, both together keep all promises',
    async () => {
      hosts = await HostProcesses.onFreshDatabase({ engine, seed: 2 });
      const [a, b] = [await hosts.start(), await hosts.start()];
      let naps = 0;
      const sending = sendCalls([a, b], () => naps < NAPS);
      try {
        for (; naps < NAPS; naps += 1) {
          const [sleeper, other] = naps % 2 === 0 ? [a, b] : [b, a];
          await until('it to be at work', () => readLedger(hosts.folder).some(isOpenBy(sleeper)));
          sleeper.pause();
          const cut = readLedger(hosts.folder).filter(isOpenBy(sleeper));
          await until(
            'the other to run it again',
            () => notRunBy(other, cut, hosts.folder).length === 0,
            60_000,
          );
          sleeper.resume();
          await until('it to go on', () => !readLedger(hosts.folder).some(isOpenBy(sleeper, cut)));
        }
      } finally {
        naps = NAPS;
        [a, b].forEach((host) => host.resume());
      }
      await sending;
      await expectAllWell(hosts, sender, NAPS);
      for (const host of [a, b]) expect(await host.stop()).toEqual({ code: 0, signal: null });
    },
    PATIENCE,
  );
});

describeOnSqlite('on an SQLite file,', () => {
  test(
    'a process that is paused beyond its leases goes on where it was: what it held open is rolled back, and done again',
    async () => {
      hosts = await HostProcesses.onFreshDatabase();
      hosts.hold(1);
      const host = await hosts.start();
      sender = new Sender(() => host.url);
      const [first, ...others] = makeCall(random) as [CallEvent, ...CallEvent[]];
      await sender.send(first);
      await begun(host, { count: 1, notify: 1, follow: 1 });
      host.pause();
      await until('the leases to be over', async () => {
        const [row] = await sqlQuery<{ n: number }>(
          hosts.databaseUrl,
          `SELECT count(*) AS n FROM livekit_deliveries WHERE state = 'running' AND lease_until > ?`,
          [Date.now()],
        );
        return row?.n === 0;
      });
      hosts.letGo(1);
      host.resume();
      await sender.sendAll(others, 8);
      await sender.sendWhatIsLeft();
      await expectAllWell(hosts, sender);
      expect(await host.stop()).toEqual({ code: 0, signal: null });
    },
    PATIENCE,
  );
});

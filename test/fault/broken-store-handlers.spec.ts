import type { ApplicationProcess } from '../support/application-process.js';
import { holdWrites } from '../support/hold-writes.js';
import { describeOnPostgres } from '../support/only-on.js';
import { DELIVERY_ENGINES, shareOf, testOf } from '../support/private-server.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { expectAllWell } from './all-well.js';
import { callEvents, makeCall } from './calls.js';
import { buildHost, HostProcesses, removeHost } from './host-processes.js';
import { readLedger } from './ledger.js';
import { Load, Sender } from './sender.js';
import { TcpProxy, TROUBLES } from './tcp-proxy.js';

/** For one test: some failures take seconds to be over. */
const PATIENCE = 300_000;

const random = seededRandom(20_261_125);

let hosts: HostProcesses;
let host: ApplicationProcess;
let sender: Sender;
let load: Load | undefined;

beforeAll(buildHost, 120_000);
afterAll(removeHost);

afterEach(async () => {
  await load?.stop();
  load = undefined;
  sender.close();
  await hosts.remove();
});

async function startUnderLoad(databaseUrl?: string): Promise<void> {
  host = await hosts.start(databaseUrl);
  sender = new Sender(() => host.url);
  load = new Load(sender, callEvents(random));
  await until('handlers at work', () => readLedger(hosts.folder).length > 100, 60_000);
}

/** The store is broken: webhooks are refused, and the runner has noticed it. */
async function expectTrouble(): Promise<void> {
  const since = performance.now();
  const refused = () =>
    sender.answers.filter(({ sentAt, status }) => sentAt >= since && status === 503).length;
  await until('refusals', () => refused() >= 16, 60_000);
  await until('trouble of the runner', () => /the store failed/.test(host.log), 60_000);
}

/** The store is mended: the same process goes on by itself, and every promise was kept. */
async function expectRecovery(): Promise<void> {
  const enough = sender.acknowledged.length + 50;
  await until('acknowledgements', () => sender.acknowledged.length >= enough, 60_000);
  await load?.stop();
  await sender.sendWhatIsLeft();
  await expectAllWell(hosts, sender);
  expect(await host.stop()).toEqual({ code: 0, signal: null });
}

describe.each(DELIVERY_ENGINES)('over %s, handlers whose store fails', (engine) => {
  const testOfStore = testOf(engine);

  beforeEach(async () => {
    hosts = await HostProcesses.onFreshDatabase({ engine });
  });

  testOfStore(
    'because it is locked, go on when it is free again',
    async () => {
      await startUnderLoad();
      const lock = await holdWrites(hosts.databaseUrl);
      await expectTrouble();
      await lock.release();
      await expectRecovery();
    },
    PATIENCE,
  );

  describeOnPostgres('on PostgreSQL', () => {
    let proxy: TcpProxy;

    beforeEach(async () => {
      proxy = await TcpProxy.before(hosts.databaseUrl);
    });

    afterEach(() => proxy.close());

    test.each(shareOf(engine, TROUBLES))(
      'which %s, go on when it is back',
      async (_, trouble) => {
        await startUnderLoad(proxy.through(hosts.databaseUrl));
        await proxy.fail(trouble);
        await expectTrouble();
        await proxy.mend();
        await expectRecovery();
      },
      PATIENCE,
    );

    testOfStore(
      'when they are done and not acknowledged, are run again by another process, under the same key',
      async () => {
        hosts.hold(1);
        host = await hosts.start(proxy.through(hosts.databaseUrl));
        sender = new Sender(() => host.url);
        await sender.sendAll(makeCall(random).slice(0, 1), 1);
        const runs = (by: ApplicationProcess) => readLedger(hosts.folder).filter((run) => run.by === by.pid);
        const handlers = ['count', 'follow', 'notify'];
        await until('all to have begun', () => runs(host).length === handlers.length);
        await proxy.fail('refuse');
        hosts.letGo(1);
        await until('all to have ended', () => runs(host).every(({ endedAt }) => endedAt !== undefined));
        const heir = await hosts.start();
        await hosts.drained();
        await proxy.mend();
        await until('it to hear of that', () => /leases were lost/.test(host.log), 60_000);
        for (const handler of ['follow', 'notify']) {
          const [first, second] = [host, heir].map((by) => runs(by).find((run) => run.handler === handler));
          expect(first).toMatchObject({ attempt: 1, succeeded: true });
          expect(second).toMatchObject({ attempt: 2, succeeded: true, key: first?.key });
        }
        await expectAllWell(hosts, sender);
        for (const one of [host, heir]) expect(await one.stop()).toEqual({ code: 0, signal: null });
      },
      PATIENCE,
    );
  });
});

import type { ApplicationProcess } from '../support/application-process.js';
import { onPostgres, sqlQuery } from '../support/database.js';
import { hasPgBouncer, PgBouncer } from '../support/pgbouncer.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { expectAllWell } from './all-well.js';
import { auditSessions } from './audit.js';
import { callsAtOnce, makeCall } from './calls.js';
import { buildHost, HostProcesses, removeHost } from './host-processes.js';
import { readLedger } from './ledger.js';
import { Sender } from './sender.js';

const random = seededRandom(20_261_127);

beforeAll(buildHost, 120_000);
afterAll(removeHost);

const isLong = process.env['TEST_LONG'] === '1';
const onPooler = onPostgres && isLong && hasPgBouncer ? describe : describe.skip;

onPooler(`behind PgBouncer in transaction mode${hasPgBouncer ? '' : ': it is not installed here'}`, () => {
  let hosts: HostProcesses;
  let pooler: PgBouncer;
  let sender: Sender;

  beforeEach(async () => {
    hosts = await HostProcesses.onFreshDatabase({ seed: 4 });
    // Fewer than would be needed if any connection were kept for somebody.
    pooler = await PgBouncer.before(hosts.databaseUrl, 4);
  });

  afterEach(async () => {
    sender.close();
    await hosts.remove();
    await pooler.remove();
  });

  test('two replicas share few connections to the server, one is killed, and every promise is kept', async () => {
    const way = pooler.through(hosts.databaseUrl);
    const direct = { DATABASE_LISTEN_URL: hosts.databaseUrl };
    const replicas = [await hosts.start(way, direct), await hosts.start(way, direct)] as const;
    let next = 0;
    sender = new Sender(() => replicas[next++ % replicas.length]?.url ?? '');
    await sender.sendAll(callsAtOnce(random, 10), 12);
    sender.onAnswer = () => void replicas[0].kill();
    await sender.sendAll(callsAtOnce(random, 5), 12);
    next = 1;
    const [, one] = replicas;
    const left = new Sender(() => one.url);
    await left.sendAll(sender.unacknowledged, 4);
    left.close();
    expect(left.unacknowledged).toEqual([]);
    await auditSessions(one, hosts.databaseUrl);
    await expectAllWell(hosts, sender);
    expect(one.log).not.toMatch(/notifications of PostgreSQL/);
    const [row] = await sqlQuery<{ n: string }>(
      hosts.databaseUrl,
      `SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name !~ 'listening' AND pid <> pg_backend_pid()`,
    );
    expect(Number(row?.n)).toBeLessThanOrEqual(4);
    expect(await one.stop()).toEqual({ code: 0, signal: null });
  });

  test('whoever listens by way of it is told, and looks by itself', async () => {
    const hears: ApplicationProcess = await hosts.start(pooler.through(hosts.databaseUrl));
    sender = new Sender(() => hears.url);
    await until('the cure', () =>
      /notifications of PostgreSQL don't come through.*DATABASE_LISTEN_URL/.test(hears.log),
    );
    await sender.sendAll(makeCall(random), 1);
    await until('its handlers', () => readLedger(hosts.folder).length > 0);
    await expectAllWell(hosts, sender);
  });
});

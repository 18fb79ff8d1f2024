import pg from 'pg';
import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import { onPostgres, sqlQuery } from '../support/database.js';
import { postgresPrograms, PrivatePostgres } from '../support/private-postgres.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { auditSessions, auditStore } from './audit.js';
import { callEvents } from './calls.js';
import { Load, Sender } from './sender.js';
import { TcpProxy } from './tcp-proxy.js';

/** For one test: some failures take seconds to be over. */
const PATIENCE = 90_000;

/** Of the server that is to run out of them. */
const MAX_CONNECTIONS = 24;

/** Of these, for superusers alone, unless a server is told otherwise. */
const RESERVED = 3;

const random = seededRandom(20_261_128);

const isHere = postgresPrograms !== undefined;
const isLong = process.env['TEST_LONG'] === '1';
const onOwnServer = onPostgres && isLong && isHere ? describe : describe.skip;

let application: ApplicationProcess;
let sender: Sender;
let load: Load | undefined;

beforeAll(buildApplication, 120_000);

afterEach(async () => {
  await load?.stop();
  load = undefined;
  sender?.close();
  await killApplications();
});

async function startUnderLoad(databaseUrl: string): Promise<void> {
  application = await ApplicationProcess.start(databaseUrl);
  sender = new Sender(() => application.url);
  load = new Load(sender, callEvents(random), 4);
  await acknowledgements(30);
}

async function acknowledgements(more: number): Promise<void> {
  const enough = sender.acknowledged.length + more;
  await until('acknowledgements', () => sender.acknowledged.length >= enough, 28_000);
}

/**
 * Webhooks are told to come again, and health, log and metrics tell why.
 *
 * @param cause in PostgreSQL's words, or the network's.
 * @param outcome as log and metrics call it.
 */
async function expectTrouble(cause: RegExp, outcome = 'store_failed'): Promise<void> {
  const since = performance.now();
  await until('refusals', () => {
    const refused = sender.answers.filter(({ sentAt, status }) => sentAt >= since && status !== 200);
    for (const { status, retryAfter } of refused)
      expect({ status, retryAfter }).toEqual({ status: 503, retryAfter: '7' });
    return refused.length >= 8;
  });
  const health = await until('health to tell of it', async () => {
    const { status, json } = await application.get('/health/ready');
    return status === 503 && cause.test(JSON.stringify(json)) && json;
  });
  expect(health).toMatchObject({ status: 'error', error: { event_store: { status: 'down' } } });
  expect((await application.get('/health/live')).status).toBe(200);
  const line = new RegExp(`"outcome":"${outcome}".*`);
  await until('a line of the log', () =>
    application.log
      .split('\n')
      .some((text) => line.test(text) && (outcome !== 'store_failed' || cause.test(text))),
  );
  const metrics = await (await fetch(`${application.url}/metrics`)).text();
  expect(metrics).toMatch(new RegExp(`livekit_webhook_requests_total\\{.*outcome="${outcome}"\\} [1-9]`));
}

/** The same process goes on by itself, and nothing that was answered 200 is missing. */
async function expectRecovery(databaseUrl: string): Promise<void> {
  await until(
    'readiness',
    async () => (await application.get('/health/ready').catch(() => undefined))?.status === 200,
    28_000,
  );
  await acknowledgements(30);
  await load?.stop();
  await sender.sendWhatIsLeft();
  await auditSessions(application, databaseUrl);
  expect(await application.stop()).toEqual({ code: 0, signal: null });
  expect(await auditStore(databaseUrl, sender)).toEqual({ lost: [], doubled: [], foreign: [] });
}

/** Takes every connection of a server, until the application, whose own are ended, has none. */
async function takeConnections(url: string, taken: pg.Client[]): Promise<void> {
  const administrator = new pg.Client({ connectionString: url.replace('app@', 'postgres@') });
  const take = async () => {
    const other = new pg.Client({ connectionString: url, application_name: 'other' });
    other.on('error', () => undefined);
    await other.connect();
    taken.push(other);
  };
  await administrator.connect();
  taken.push(administrator); // or the application would have its place
  await until('all connections to be taken', async () => {
    await administrator.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND application_name <> 'other'",
    );
    await Promise.allSettled(Array.from({ length: MAX_CONNECTIONS }, take));
    return taken.length === MAX_CONNECTIONS - RESERVED;
  });
}

onOwnServer(`a PostgreSQL server${isHere ? '' : ': its programs are not here'}`, () => {
  let server: PrivatePostgres;

  afterEach(() => server.remove());

  test(
    'that crashes and comes back',
    async () => {
      server = await PrivatePostgres.start();
      await startUnderLoad(server.url);
      await server.crash();
      await expectTrouble(/ECONNREFUSED|terminat/);
      const metrics = await (await fetch(`${application.url}/metrics`)).text();
      expect(metrics).not.toMatch(/^livekit_(sessions_active|routing_lag)/m); // who can't know tells no figure
      await server.start();
      await expectRecovery(server.url);
    },
    PATIENCE,
  );

  test(
    'that is not there when the application starts: it ends, for its supervisor to start it again',
    async () => {
      server = await PrivatePostgres.start();
      await server.crash();
      application = ApplicationProcess.launch(server.url);
      expect(await application.exited).toEqual({ code: 1, signal: null });
      expect(application.log).toMatch(/ECONNREFUSED/);
      await server.start();
      await startUnderLoad(server.url);
      await expectRecovery(server.url);
    },
    PATIENCE,
  );

  test(
    'whose connections are used up by others',
    async () => {
      server = await PrivatePostgres.start(`max_connections=${MAX_CONNECTIONS}`);
      await sqlQuery(server.url, 'CREATE ROLE app LOGIN CREATEDB');
      await sqlQuery(server.url, 'CREATE DATABASE voice OWNER app');
      const url = server.url.replace('postgres@', 'app@').replace(/\/postgres$/, '/voice');
      await startUnderLoad(url);
      const others: pg.Client[] = [];
      try {
        await takeConnections(url, others);
        await expectTrouble(/connection slots are reserved|too many clients/);
      } finally {
        await Promise.all(others.map((other) => other.end()));
      }
      await expectRecovery(url);
    },
    PATIENCE,
  );

  test(
    'that gives up every so many transactions for the sake of others: nobody is the wiser',
    async () => {
      server = await PrivatePostgres.start();
      await startUnderLoad(server.url);
      await sqlQuery(server.url, 'CREATE SEQUENCE faults');
      await sqlQuery(
        server.url,
        `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           CASE nextval('faults') % 40
             WHEN 0 THEN RAISE EXCEPTION USING ERRCODE = '40001';
             WHEN 20 THEN RAISE EXCEPTION USING ERRCODE = '40P01';
             ELSE RETURN NULL;
           END CASE; END $$`,
      );
      for (const [table, what] of [
        ['livekit_events', 'INSERT'],
        ['livekit_deliveries', 'INSERT'],
      ]) {
        await sqlQuery(server.url, `CREATE TRIGGER fail BEFORE ${what} ON ${table} EXECUTE FUNCTION fail()`);
      }
      await until('failures', async () => {
        const [row] = await sqlQuery<{ n: string }>(server.url, 'SELECT last_value AS n FROM faults');
        return Number(row?.n) > 600;
      });
      expect((await application.get('/health/ready')).status).toBe(200);
      await expectRecovery(server.url);
      expect(new Set(sender.answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(application.log).not.toMatch(/"level":"error"/);
    },
    PATIENCE,
  );

  describe('with a standby', () => {
    let standby: PrivatePostgres;
    let proxy: TcpProxy;

    // What is acknowledged is on both: a standby that may lag would lose it, whatever we do.
    beforeEach(async () => {
      server = await PrivatePostgres.start('synchronous_standby_names=*');
      standby = await server.standby();
      proxy = await TcpProxy.before(server.url);
    });

    afterEach(async () => {
      await proxy.close();
      await standby.remove();
    });

    test(
      'that takes its place when it crashes',
      async () => {
        const url = proxy.through(server.url);
        await startUnderLoad(url);
        await server.crash();
        await expectTrouble(/ECONNREFUSED|terminat/);
        standby.promote();
        proxy.leadTo(standby.url);
        await expectRecovery(standby.url);
      },
      PATIENCE,
    );

    test(
      'that takes its place while it goes on, read-only, on the connections that it has',
      async () => {
        const url = proxy.through(server.url);
        await startUnderLoad(url);
        await sqlQuery(server.url, 'ALTER SYSTEM SET default_transaction_read_only = on');
        await sqlQuery(server.url, 'SELECT pg_reload_conf()');
        await expectTrouble(/read-only transaction/);
        standby.promote();
        proxy.leadTo(standby.url);
        await expectRecovery(standby.url);
      },
      PATIENCE,
    );
  });

  test(
    'that is far away: slower, and refused only where it takes longer than LiveKit should wait',
    async () => {
      server = await PrivatePostgres.start();
      const proxy = await TcpProxy.before(server.url);
      try {
        await startUnderLoad(proxy.through(server.url));
        proxy.slowDown(40);
        const before = sender.answers.length;
        await acknowledgements(30);
        expect(sender.answers.slice(before).filter(({ status }) => status !== 200)).toEqual([]);
        proxy.slowDown(1_100);
        await expectTrouble(/no commit within 2 s/, 'store_slow');
        proxy.slowDown(0);
        await expectRecovery(server.url);
      } finally {
        await proxy.close();
      }
    },
    PATIENCE,
  );
});

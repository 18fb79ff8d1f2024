import { copyFileSync, linkSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import { type FreshDatabase, freshDatabase, sqlQuery } from '../support/database.js';
import { holdWrites } from '../support/hold-writes.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { auditSessions, auditStore } from './audit.js';
import {
  canFreezeFiles,
  canLimit,
  canMount,
  chattr,
  fill,
  limitFileSize,
  mount,
  unmount,
} from './breakage.js';
import { describeOnPostgres, describeOnSqlite } from '../support/only-on.js';
import { callEvents } from './calls.js';
import { type Answer, Load, Sender } from './sender.js';
import { TcpProxy, TROUBLES } from './tcp-proxy.js';

/** An answer is due after 2 s, LiveKit gives up after 15; a busy machine may add to the one. */
const DUE = 10_000;

/** For one test: some failures take seconds to be over. */
const PATIENCE = 240_000;

let database: FreshDatabase;
let application: ApplicationProcess;
let sender: Sender;
let load: Load;

beforeAll(buildApplication, 120_000);

beforeEach(async () => {
  database = await freshDatabase();
});

afterEach(async () => {
  await load?.stop();
  sender?.close();
  await killApplications();
  await database.drop();
});

/** Starts the application, and a load on it that goes on. */
async function startUnderLoad(databaseUrl = database.url): Promise<void> {
  application = await ApplicationProcess.start(databaseUrl);
  sender = new Sender(() => application.url);
  load = new Load(sender, callEvents(seededRandom(20_261_123)));
  await acknowledgements(50);
}

/** The store is broken: whatever is sent from now on must be told to come again, and nothing else may fall. */
async function expectRefusals(): Promise<void> {
  const since = performance.now();
  const answers = (): Answer[] => sender.answers.filter(({ sentAt }) => sentAt >= since);
  const ready = application.get('/health/ready');
  await until('answers', () => answers().length >= 16, 15_000);
  expect((await ready).status).toBe(503);
  expect((await application.get('/health/live')).status).toBe(200);
  for (const answer of answers()) expectRefusal(answer);
  expect(application.alive).toBe(true);
}

function expectRefusal({ status, word, retryAfter, took }: Answer): void {
  expect({ status, word, retryAfter }).toEqual({ status: 503, word: 'unavailable', retryAfter: '7' });
  expect(took).toBeLessThan(DUE);
}

/** The store is mended: the same process takes events again, and none that was answered 200 is missing. */
async function expectRecovery(): Promise<void> {
  await until(
    'readiness',
    async () => (await application.get('/health/ready').catch(() => undefined))?.status === 200,
    60_000,
  );
  await acknowledgements(50);
  await load.stop();
  await sender.sendWhatIsLeft();
  await auditSessions(application, database.url);
  expect(application.alive).toBe(true);
  expect(await application.stop()).toEqual({ code: 0, signal: null });
  expect(await auditStore(database.url, sender)).toEqual({ lost: [], doubled: [], foreign: [] });
}

async function acknowledgements(more: number): Promise<void> {
  const enough = sender.acknowledged.length + more;
  await until('acknowledgements', () => sender.acknowledged.length >= enough, 60_000);
}

describeOnSqlite('an SQLite store', () => {
  const file = (suffix = ''): string => database.url.slice('file:'.length) + suffix;

  test(
    'locked by another connection',
    async () => {
      await startUnderLoad();
      const lock = await holdWrites(database.url);
      await expectRefusals();
      expect((await application.get('/voice/sessions')).status).toBe(200);
      await lock.release();
      await expectRecovery();
    },
    PATIENCE,
  );

  const frozen = canFreezeFiles();
  (frozen ? test : test.skip)(
    `made read-only${frozen ? '' : ': nothing here can take an open file from its writer (`chattr +i` wants root and ext4)'}`,
    async () => {
      await startUnderLoad();
      const files = [file(), file('-wal')];
      try {
        chattr('+i', ...files);
        await expectRefusals();
      } finally {
        chattr('-i', ...files);
      }
      await expectRecovery();
    },
    PATIENCE,
  );

  const mountable = canMount();
  (mountable ? test : test.skip)(
    `on a full disk${mountable ? '' : ': no small disk can be mounted here (that wants root)'}`,
    async () => {
      const disk = mkdtempSync(join(tmpdir(), 'livekit-webhooks-disk-'));
      mount(disk, '16m');
      try {
        const small = { url: `file:${join(disk, 'voice.sqlite')}`, drop: async () => undefined };
        await database.drop();
        database = small;
        await startUnderLoad();
        fill(disk);
        // The rest of what SQLite had allotted is used up honestly.
        await until('the first refusal', () => sender.answers.at(-1)?.status === 503);
        await expectRefusals();
        rmSync(join(disk, 'filler'));
        await expectRecovery();
      } finally {
        await load.stop();
        await killApplications();
        unmount(disk);
      }
    },
    PATIENCE,
  );

  const limitable = canLimit();
  (limitable ? test : test.skip)(
    `of which no file may grow${limitable ? '' : ': there is no `prlimit` here'}`,
    async () => {
      await startUnderLoad();
      limitFileSize(application.pid, String(statSync(file('-wal')).size));
      await until('the first refusal', () => sender.answers.at(-1)?.status === 503);
      await expectRefusals();
      limitFileSize(application.pid, 'unlimited');
      await expectRecovery();
    },
    PATIENCE,
  );

  test.each([
    ['moved away', ''],
    ['whose log is moved away', '-wal'],
  ])(
    '%s',
    async (_, suffix) => {
      await startUnderLoad();
      renameSync(file(suffix), file('.moved'));
      await expectRefusals();
      expect(application.log).toMatch(/was deleted, moved or replaced/);
      renameSync(file('.moved'), file(suffix));
      await expectRecovery();
    },
    PATIENCE,
  );

  test(
    'replaced by a copy',
    async () => {
      await startUnderLoad();
      linkSync(file(), file('.kept'));
      copyFileSync(file(), file('.copy'));
      renameSync(file('.copy'), file());
      await expectRefusals();
      renameSync(file('.kept'), file());
      await expectRecovery();
    },
    PATIENCE,
  );

  test(
    'deleted: nothing is accepted until the application is started anew',
    async () => {
      await startUnderLoad();
      for (const suffix of ['', '-wal', '-shm']) rmSync(file(suffix));
      await expectRefusals();
      await load.stop();
      expect(await application.stop()).toEqual({ code: 0, signal: null });
      await startUnderLoad();
      await expectRecovery();
    },
    PATIENCE,
  );
});

describeOnPostgres('a PostgreSQL store', () => {
  let proxy: TcpProxy;

  beforeEach(async () => {
    proxy = await TcpProxy.before(database.url);
  });

  afterEach(() => proxy.close());

  test(
    'that ends our connections again and again',
    async () => {
      await startUnderLoad();
      let ended = 0;
      while (ended < 50) {
        const before = sender.answers.length;
        const gone = await sqlQuery(
          database.url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'nestjs-livekit-webhooks'`,
        );
        ended += gone.length;
        await until('more answers', () => sender.answers.length >= before + 8);
      }
      for (const answer of sender.answers) if (answer.status !== 200) expectRefusal(answer);
      await expectRecovery();
    },
    PATIENCE,
  );

  test.each(TROUBLES)(
    'that %s',
    async (_, trouble) => {
      await startUnderLoad(proxy.through(database.url));
      await proxy.fail(trouble);
      await expectRefusals();
      await proxy.mend();
      await expectRecovery();
    },
    PATIENCE,
  );

  test(
    'whose tables are locked by another connection',
    async () => {
      await startUnderLoad();
      const lock = await holdWrites(database.url);
      await expectRefusals();
      await lock.release();
      await expectRecovery();
    },
    PATIENCE,
  );
});

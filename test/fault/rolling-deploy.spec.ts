import type { MigrationInterface, QueryRunner } from 'typeorm';
import { EventStore } from '../../src/database/event-store.js';
import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import { emptyDatabase, type FreshDatabase, onPostgres, sqlQuery } from '../support/database.js';
import { testOnPostgres } from '../support/only-on.js';
import { seededRandom } from '../support/random.js';
import { until } from '../support/until.js';
import { auditSessions, auditStore } from './audit.js';
import { callEvents } from './calls.js';
import { Load, Sender } from './sender.js';

/** For one test: it starts four processes or more, and each may take its time. */
const PATIENCE = 400_000;

const inLongRounds = onPostgres && process.env['TEST_LONG'] === '1' ? test : test.skip;

/** A built checkout of another revision of ours: what is rolled out of, and back to. */
const PREVIOUS = process.env['TEST_PREVIOUS'];
const fromPrevious = onPostgres && PREVIOUS !== undefined ? test : test.skip;

/** What the next release may bring: as all migrations do, it only adds (`test/integration/database/migrations.spec.ts`). */
class NextRelease9999999999999 implements MigrationInterface {
  readonly name = 'NextRelease9999999999999';

  async up(runner: QueryRunner): Promise<void> {
    for (const table of ['events', 'deliveries', 'handlers', 'sessions', 'connections']) {
      await runner.query(`ALTER TABLE livekit_${table} ADD COLUMN next text`);
      await runner.query(`ALTER TABLE livekit_${table} ADD COLUMN next_count integer NOT NULL DEFAULT 0`);
      await runner.query(`CREATE INDEX livekit_${table}_next ON livekit_${table} (next)`);
    }
  }

  down = async (): Promise<void> => undefined;
}

let database: FreshDatabase;
let load: Load | undefined;
let replicas: ApplicationProcess[];
let sender: Sender;

beforeAll(buildApplication, 120_000);

beforeEach(async () => {
  database = await emptyDatabase(); // what is migrated beyond what we know must not be kept for another test
  replicas = [];
  let next = 0;
  sender = new Sender(() => (replicas[next++ % replicas.length] as ApplicationProcess).url);
});

afterEach(async () => {
  await load?.stop();
  await killApplications();
  await database.drop();
});

testOnPostgres(
  'while the next release migrates, and beside it, a process of this one goes on and another can be started',
  async () => {
    replicas = [
      await ApplicationProcess.start(database.url),
      await ApplicationProcess.start(database.url, { DATABASE_MIGRATIONS: 'none' }),
    ];
    load = new Load(sender, callEvents(seededRandom(20_261_129)), 4);
    await goesOn();
    const migrated = await EventStore.open({
      url: database.url,
      entityMigrations: [NextRelease9999999999999],
    });
    await migrated.close();
    await goesOn();
    // It is rolled back, or scaled out in the middle of it.
    for (const mode of ['run', 'check']) {
      replicas.push(await ApplicationProcess.start(database.url, { DATABASE_MIGRATIONS: mode }));
    }
    await goesOn();
    await allIsWell();
    expect(await sqlQuery(database.url, 'SELECT 1 FROM livekit_events WHERE next_count <> 0')).toEqual([]);
  },
  PATIENCE,
);

inLongRounds(
  'ten that start at once on an empty database migrate it once, and all serve',
  async () => {
    const starting = Array.from({ length: 10 }, () =>
      ApplicationProcess.launch(database.url, { DATABASE_POOL_SIZE: '4' }),
    );
    replicas = starting;
    await Promise.all(starting.map(({ listening }) => listening));
    load = new Load(sender, callEvents(seededRandom(20_261_131)), 4);
    await goesOn();
    await allIsWell();
  },
  PATIENCE,
);

fromPrevious(
  'a previous release goes on while this one migrates, beside it, and when this one is rolled back',
  async () => {
    const startPrevious = async () => {
      const previous = ApplicationProcess.launch(database.url, {}, [`${PREVIOUS}/dist/main.js`]);
      await previous.listening;
      return previous;
    };
    replicas = [await startPrevious(), await startPrevious()];
    load = new Load(sender, callEvents(seededRandom(20_261_130)), 4);
    await goesOn();
    replicas.push(await ApplicationProcess.start(database.url));
    await goesOn();
    const [first] = replicas.splice(0, 1);
    expect(await first?.stop()).toEqual({ code: 0, signal: null });
    replicas.push(await ApplicationProcess.start(database.url));
    await goesOn();
    replicas.push(await startPrevious());
    await goesOn();
    await allIsWell();
  },
  PATIENCE,
);

async function goesOn(): Promise<void> {
  const enough = sender.acknowledged.length + 50;
  await until('acknowledgements', () => sender.acknowledged.length >= enough, 60_000);
}

async function allIsWell(): Promise<void> {
  await load?.stop();
  await sender.sendWhatIsLeft();
  sender.close();
  expect(sender.answers.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
  await auditSessions(replicas[0] as ApplicationProcess, database.url);
  expect(await auditStore(database.url, sender)).toEqual({ lost: [], doubled: [], foreign: [] });
  for (const one of replicas) {
    expect(one.errors).toEqual([]); // so whatever was not taken would have taken too long
    expect(await one.stop()).toEqual({ code: 0, signal: null });
  }
}
